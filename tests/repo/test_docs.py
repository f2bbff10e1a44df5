"""The pages of the documentation: all of them are in the navigation, and their anchors lead somewhere on GitHub too."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .tree import ROOT

PAGES = sorted([*(ROOT / "docs").rglob("*.md"), *(ROOT / name for name in ("README.md", "CONTRIBUTING.md"))])
CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def test_every_page_is_in_the_navigation_once() -> None:
    project = tomllib.loads((ROOT / "docs/zensical.toml").read_text())["project"]
    listed = list(entries(project["nav"]))
    assert sorted(listed) == sorted([*(path.relative_to(ROOT).as_posix() for path in PAGES), "CHANGELOG.md"])


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_anchor_of_a_page_leads_to_a_heading(path: Path) -> None:
    """`make docs` holds links against the anchors that it makes; these are those of GitHub."""
    links = re.findall(r"\]\(([^)#:\s]*)#([^)\s]+)\)", CODE.sub("", path.read_text()))
    targets = [(path if not file else path.parent / file, anchor) for file, anchor in links]
    assert [(file, anchor) for file, anchor in targets if anchor not in anchors(file)] == []


def entries(nav: list[Any]) -> Iterator[str]:
    """Yield the pages of a navigation."""
    for entry in nav:
        if isinstance(entry, str):
            yield entry
        else:
            for inner in entry.values():
                yield from entries(inner)


def anchors(path: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page, each of which must be there once."""
    headings: list[str] = re.findall(r"^#{1,6} (.*)$", CODE.sub("", path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
