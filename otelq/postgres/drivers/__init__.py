"""Drivers of PostgreSQL, one folder each, imported when the first object of the driver is given."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Final

from ...errors import InvalidArgument
from .port import ConnectedTransaction, DriverConnection, Joiner, Source

__all__ = ["ConnectedTransaction", "DriverConnection", "Joiners", "Source", "driver_of"]

_MODULES: Final = {"asyncpg": "asyncpg", "psycopg": "psycopg", "psycopg_pool": "psycopg", "sqlalchemy": "sqlalchemy"}
"""The module here for the objects of a package."""


def driver_of(thing: object) -> str | None:
    """Return the driver of an object, by the packages of its class and bases; ``provider`` if it has those methods."""
    packages = (base.__module__.partition(".")[0] for base in type(thing).__mro__)
    found = next((_MODULES[package] for package in packages if package in _MODULES), None)
    if found is None and all(hasattr(thing, name) for name in ("execute", "transaction", "is_open")):
        return "provider"
    return found


def load(driver: str) -> ModuleType:
    """Import the module of a driver."""
    return import_module(f".{driver}", __name__)


class Joiners:
    """The joiners of callers' transactions, one for each driver; the source's own joiner knows its own transactions."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._by_class: dict[type, Joiner] = {}
        self._by_driver: dict[str, Joiner] = {source.driver: source.joiner}

    def join(self, tx: object) -> ConnectedTransaction:
        """
        Return the caller's open transaction.

        Raises:
            InvalidArgument: it is no object of a known driver, or no transaction is open.
        """
        kind = type(tx)
        if kind not in self._by_class:
            self._by_class[kind] = self._joiner(tx)
        return self._by_class[kind].join(tx)

    def _joiner(self, tx: object) -> Joiner:
        driver = driver_of(tx)
        if driver is None:
            raise InvalidArgument(
                "tx",
                f"is {type(tx).__name__}; give a connection of asyncpg or psycopg, an AsyncSession or AsyncConnection "
                "of SQLAlchemy, or a Provider's transaction",
            )
        if driver not in self._by_driver:
            self._by_driver[driver] = load(driver).joiner()
        return self._by_driver[driver]
