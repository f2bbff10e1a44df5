"""Each setting of each driver of SQLite, as ``sqlite.txt`` lists them."""

from __future__ import annotations

from pathlib import Path

import pytest

from .sqlite import application
from .sqlite_options import is_known
from .table import Line, tries
from .use import try_out


@pytest.mark.parametrize("line", tries("sqlite", is_known=is_known))
async def test_a_setting_of_the_application_changes_nothing_and_stays(line: Line, tmp_path: Path) -> None:
    file = tmp_path / "application.db"
    async with application(line.driver, line.setting, file) as made:
        options = {"busy_timeout": 0.05} if line.setting.startswith("held") else {}
        await try_out(line, made, url=f"sqlite:///{file}", schema="otelq", **options)
