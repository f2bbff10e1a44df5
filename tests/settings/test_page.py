"""``docs/reference/settings.md`` names whatever is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from .table import lines, refusal

PAGE = (Path(__file__).parents[2] / "docs/reference/settings.md").read_text()


@pytest.mark.parametrize("store", ["postgres", "sqlite", "process"])
def test_the_page_has_every_refusal_of_the_table(store: str) -> None:
    said = {refusal(expected) for line in lines(store) for expected in (line.as_target, line.as_tx)} - {None}
    assert [each for each in said if str(each).partition(":")[0] not in PAGE] == []
