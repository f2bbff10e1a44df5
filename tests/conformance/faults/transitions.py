"""Transitions that do not tell what happened."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from otelq.model import Verb
from tests.conformance.specimen.statement import Statement

from .planting import instead_of, real


@instead_of(Statement, "transition")
def tells_too_little(self: Any, *args: Any, **fields: Any) -> None:
    told = {**fields, "worker": None, "error_type": None, "due_at": None}
    real("Statement.transition", self, *args, **told)


@instead_of(Statement, "transition")
def names_no_worker_that_loses_a_job(self: Any, *args: Any, **fields: Any) -> None:
    real("Statement.transition", self, *args, **fields)
    if self.made[-1].verb in (Verb.CANCEL, Verb.COMPLETE_EXTERNALLY):
        self.made[-1] = replace(self.made[-1], worker=None)


@instead_of(Statement, "transition")
def tells_the_wrong_times(self: Any, *args: Any, **fields: Any) -> None:
    real("Statement.transition", self, *args, **fields)
    made = self.made[-1]
    self.made[-1] = replace(made, at=made.at - timedelta(seconds=1), chain_created_at=made.created_at)


@instead_of(Statement, "transition")
def tells_times_without_a_zone(self: Any, *args: Any, **fields: Any) -> None:
    real("Statement.transition", self, *args, **fields)
    self.made[-1] = replace(self.made[-1], at=self.made[-1].at.replace(tzinfo=None))


@instead_of(Statement, "transition")
def makes_illegal_moves(self: Any, *args: Any, **fields: Any) -> None:
    real("Statement.transition", self, *args, **fields)
    self.made[-1] = replace(self.made[-1], source=self.made[-1].target)
