"""Stages: the port through which the sweep makes and interrupts verbs on a database."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from otelq.errors import InvalidArgument
from otelq.ports.state import StateAdapter

from ..drivers import check_driver
from .points import Interruption, Point
from .scenario_kit import ArrangedScenario, VerbResult


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementTrace:
    """The statements that a verb made, and its result; None if its process died."""

    statements: Sequence[str]
    result: VerbResult | None
    problem: str = ""
    """Why the interruption was not the one that was wanted."""


class CrashStage(Protocol):
    """A database on which verbs can be interrupted."""

    @property
    def faults(self) -> Sequence[Interruption]:
        """Return the interruptions that can happen here."""
        ...

    @property
    def schema(self) -> str:
        """Return the schema in which the scenarios run."""
        ...

    @property
    def ledger(self) -> str:
        """Return the name of a table for the application's writes."""
        ...

    def adapter(self) -> StateAdapter:
        """Return an unopened adapter that is never interrupted."""
        ...

    def perform(self, play: ArrangedScenario, point: Point | None) -> AbstractAsyncContextManager[StatementTrace]:
        """
        Make a verb, by an adapter of its own, and interrupt it at ``point``.

        A killed process stays frozen while the block lasts; afterwards it cannot reach the database.
        """
        ...


@asynccontextmanager
async def stage_at(url: str, *, schema: str, driver: str | None = None) -> AsyncGenerator[CrashStage]:
    """
    Yield the stage for a database, on which verbs are made by a driver; None is that of a URL.

    Raises:
        InvalidArgument: it is none that several processes can share, or is not reached by the driver.
    """
    check_driver(url, driver)
    match url.partition(":")[0].lower():  # the drivers of one need not be installed for the other
        case "postgresql" | "postgres":
            from .wire_stage import WireStage

            yield WireStage(url, schema=schema, driver=driver)
        case "sqlite":
            from .file_stage import FileStage

            with FileStage(url, schema=schema, driver=driver) as stage:
                yield stage
        case scheme:
            raise InvalidArgument("url", f"begins with {scheme}:; give one of PostgreSQL or of a SQLite file")
