"""The programs of the guides are run as they are shown, and print what the guides say; all links lead somewhere."""

import re
from pathlib import Path

import pytest

from .pages import Page, is_on_postgres, printed
from .shell import ROOT

GUIDES = {path.stem: Page(path) for path in sorted((ROOT / "docs/guides").glob("*.md"))}
SHOWN = [(name, command) for name, page in GUIDES.items() for command in page.commands]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "examples/shop/README.md")),
    *(ROOT / "docs").rglob("*.md"),
]


def test_every_program_of_a_guide_has_a_name_and_a_command_that_runs_it() -> None:
    programs = {(guide, name) for guide, page in GUIDES.items() for name in page.programs}
    run = {(guide, name) for guide, command in SHOWN for name in re.findall(r"python (\w+\.py)$", command)}
    assert programs
    assert programs == run


def test_every_guide_has_a_program() -> None:
    assert [name for name, page in GUIDES.items() if not page.programs] == []


def test_every_guide_begins_with_its_use_and_ends_with_the_next_page() -> None:
    guides = {name: page.text.rstrip().splitlines() for name, page in GUIDES.items()}
    assert [name for name, lines in guides.items() if not lines[2].startswith("With this page you can ")] == []
    assert [name for name, lines in guides.items() if not lines[-1].startswith("Next: [")] == []


@pytest.mark.parametrize("guide, command", [shown for shown in SHOWN if not is_on_postgres(shown[1])])
def test_a_program_prints_what_its_guide_says(guide: str, command: str, tmp_path: Path) -> None:
    page = GUIDES[guide]
    page.write_programs(tmp_path)
    assert printed(command, folder=tmp_path) == page.commands[command]


@pytest.mark.parametrize("guide, command", [shown for shown in SHOWN if is_on_postgres(shown[1])])
def test_a_program_prints_what_its_guide_says_on_postgres(
    guide: str, command: str, empty_postgres_url: str, tmp_path: Path
) -> None:
    page = GUIDES[guide]
    page.write_programs(tmp_path)
    assert printed(command, folder=tmp_path, postgres_url=empty_postgres_url) == page.commands[command]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file(path: Path) -> None:
    assert {link for link in Page(path).links if not (path.parent / link).exists()} == set()
