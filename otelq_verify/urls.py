"""What a URL says of the place behind it, before anything is opened."""

from __future__ import annotations

from otelq.adapters import is_private

__all__ = ["is_private", "is_shared"]


def is_shared(url: str) -> bool:
    """Whether this is PostgreSQL or a file of SQLite, which several processes can open."""
    return url.partition(":")[0].lower() in ("postgresql", "postgres", "sqlite") and not is_private(url)
