"""The page about verification tells what was kept of the long runs."""

from __future__ import annotations

from .page import PAGE, figures, redrawn


def test_the_page_tells_of_the_runs_that_were_kept() -> None:
    assert redrawn(PAGE.read_text(), figures()) == PAGE.read_text()


def test_the_runs_that_were_kept_found_nothing_after_two_hundred_faults() -> None:
    runs = figures()["runs"]
    assert all(run["clean"] and not run["violations"] for run in runs)
    assert sum(run["strikes"] for run in runs) >= 200
