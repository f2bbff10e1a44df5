"""Engines for URLs of SQLAlchemy, which commands take as applications write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from ..errors import InvalidArgument

CONNECTIONS = 22
"""The most connections of an engine: as many as a client for a URL has for transactions, and otelq's own two."""


def create_engine(url: str, *, application: str) -> AsyncEngine:
    """
    Return an engine for a URL; on PostgreSQL its connections have this ``application_name``, or that of the URL.

    Raises:
        InvalidArgument: the URL cannot be read; the text shows nothing of it.
        ModuleNotFoundError: its driver is not installed.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # the text of either may hold a part of the password
        raise InvalidArgument("url", "cannot be read as a URL of SQLAlchemy; is it percent-encoded?") from None
    if parsed.get_backend_name() != "postgresql":
        return create_async_engine(parsed)
    arguments = _connect_arguments(parsed, application)
    return create_async_engine(parsed, pool_size=CONNECTIONS, max_overflow=0, connect_args=arguments)


def _connect_arguments(url: URL, application: str) -> Mapping[str, Any]:
    if "application_name" in url.query:
        return {}
    if url.get_driver_name() == "asyncpg":
        return {"server_settings": {"application_name": application}}
    return {"application_name": application}
