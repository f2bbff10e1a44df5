"""What a URL says of the place behind it, before anything is opened."""

from __future__ import annotations


def is_private(url: str) -> bool:
    """Whether nobody but the adapter that opens it can reach what is stored at a URL."""
    scheme, _, place = url.partition(":")
    return scheme.lower() == "memory" or (scheme.lower() == "sqlite" and place in ("", "//", "///", "///:memory:"))


def is_shared(url: str) -> bool:
    """Whether this is PostgreSQL or a file of SQLite, which several processes can open."""
    return url.partition(":")[0].lower() in ("postgresql", "postgres", "sqlite") and not is_private(url)
