"""Every capability and every defect on the lists has a test that runs, and the page shows the lists."""

from __future__ import annotations

from collections import Counter

import pytest

from ..conftest import COLLECTED
from .collection import Found, collected_anew, found_among, is_whole
from .data import TABLES, Row
from .page import PAGE, page

ROWS = [row for table in TABLES.values() for row in table.rows]
MOST_ROWS = 3
"""How many rows one test may prove; one that proves everything proves little."""


@pytest.fixture(scope="module")
def collected(request: pytest.FixtureRequest) -> Found:
    """All tests: this run's, or where it is of some alone, those that another would collect."""
    items = request.config.stash[COLLECTED]
    return found_among(items) if is_whole(items) else collected_anew()


@pytest.mark.timeout(180)  # collecting anew takes its time
@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
def test_a_row_is_proven_by_tests_that_run(row: Row, collected: Found) -> None:
    assert row.proofs or row.instead, "the row names neither a test nor what stands in its place"
    assert {proof for proof in row.proofs if not collected.get(proof, False)} == set(), "not collected, or skipped"


def test_no_test_serves_more_than_three_rows() -> None:
    served = Counter(proof for row in ROWS for proof in row.proofs)

    assert {proof: times for proof, times in served.items() if times > MOST_ROWS} == {}


def test_the_lists_are_whole() -> None:
    assert [row.id for row in TABLES["features"].rows] == [f"F-{number:02}" for number in range(1, 106)]
    assert [row.id for row in TABLES["defects"].rows][:16] == [f"B-{number:02}" for number in range(1, 17)]


def test_the_page_shows_the_lists() -> None:
    assert PAGE.read_text() == page()
