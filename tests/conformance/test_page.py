"""The page about conformance shows the kits as they are."""

from __future__ import annotations

from .page import PAGE, page


def test_the_page_shows_the_kits() -> None:
    assert PAGE.read_text() == page()
