"""The database of a command: a client for its URL, which may be one of SQLAlchemy."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from ..adapters import is_private
from ..client import Client
from ..connect import connect, name_missing_extra
from ..errors import InvalidArgument

SQLALCHEMY = ("postgresql+asyncpg", "postgresql+psycopg", "sqlite+aiosqlite")
"""Schemes for which the client uses an engine of SQLAlchemy, so that handlers can ask for an ``AsyncSession``."""
LONGEST_NAME = 63
"""The bytes that PostgreSQL keeps of an ``application_name``."""


@asynccontextmanager
async def client_of(url: str, *, schema: str, application: str, migrate: bool = True) -> AsyncGenerator[Client]:
    """
    Yield a client that is not open yet; at the end dispose of its engine, if it has one.

    Its connections to PostgreSQL have the ``application_name`` that is given here, unless the URL has one.
    """
    _check_driver(url)
    application = application.encode()[:LONGEST_NAME].decode(errors="ignore")
    if _scheme(url) not in SQLALCHEMY:
        yield connect(url, schema=schema, migrate=migrate, **_settings(url, application))
        return
    engine: Any = create_engine(url, application)
    try:
        yield connect(engine, schema=schema, migrate=migrate)
    finally:
        await engine.dispose()


def _check_driver(url: str) -> None:
    base, plus, _ = _scheme(url).partition("+")
    if plus and base in ("postgres", "postgresql", "sqlite") and _scheme(url) not in SQLALCHEMY:
        raise InvalidArgument("url", f"has the scheme {_scheme(url)}; with SQLAlchemy give {', '.join(SQLALCHEMY)}")


def create_engine(url: str, application: str) -> object:
    """Return an engine of SQLAlchemy, which need not be installed."""
    with name_missing_extra("url", _scheme(url)):
        from ..sqlalchemy.create import create_engine as create

        return create(url, application=application)


def without_driver(url: str) -> str:
    """Return the URL without the driver that SQLAlchemy has in the scheme."""
    scheme, colon, rest = url.partition(":")
    return scheme.partition("+")[0] + colon + rest if scheme.lower() in SQLALCHEMY else url


def is_for_one_process(url: str) -> bool:
    """Return whether no other process can reach the database of a URL."""
    return is_private(without_driver(url))


def _settings(url: str, application: str) -> dict[str, Any]:
    if _scheme(url) not in ("postgresql", "postgres") or "application_name=" in url.rpartition("?")[2]:
        return {}
    return {"server_settings": {"application_name": application}}


def _scheme(url: str) -> str:
    return url.partition(":")[0].lower()
