"""The drivers by which PostgreSQL can be reached: a file each, loaded when somebody comes with an object of it."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Final

from ...errors import InvalidArgument
from .port import ConnectedTransaction, DriverConnection, Joiner, Source

__all__ = ["ConnectedTransaction", "DriverConnection", "Joiners", "Source", "driver_of"]

_MODULES: Final = {"asyncpg": "asyncpg", "psycopg": "psycopg", "psycopg_pool": "psycopg", "sqlalchemy": "sqlalchemy"}
"""The module here that knows the objects of a package."""


def driver_of(thing: object) -> str | None:
    """Which driver an object belongs to, by the packages of its class and its bases; or it may be a ``Provider``."""
    packages = (base.__module__.partition(".")[0] for base in type(thing).__mro__)
    found = next((_MODULES[package] for package in packages if package in _MODULES), None)
    if found is None and all(hasattr(thing, name) for name in ("execute", "transaction", "is_open")):
        return "provider"
    return found


def load(driver: str) -> ModuleType:
    """The module of a driver."""
    return import_module(f".{driver}", __name__)


class Joiners:
    """Who can take part in which transactions, a joiner for each driver; those of one's own source are known to it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._by_class: dict[type, Joiner] = {}
        self._by_driver: dict[str, Joiner] = {source.driver: source.joiner}

    def join(self, tx: object) -> ConnectedTransaction:
        """
        The caller's open transaction.

        Raises:
            InvalidArgument: it is nothing that a known driver has, or no transaction is open.
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
