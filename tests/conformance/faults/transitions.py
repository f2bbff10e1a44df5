"""Transitions that do not say what happened."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from otelq.model import Transition
from otelq.transitions import build

from .planting import Faults

BUILDERS = (build.created, build.successor_created, build.claimed, build.settled, build.moved)
faults = Faults()


@faults.instead_of(*BUILDERS)
def reports_too_little(real: Any, *job: object, **fields: Any) -> Transition:
    made: Transition = real(*job, **fields)
    return replace(made, worker=None, error_type=None, due_at=None)


@faults.instead_of(build.moved)
def names_no_worker_that_loses_a_job(real: Any, *job: object, **fields: Any) -> Transition:
    made: Transition = real(*job, **fields)
    return replace(made, worker=None)


@faults.instead_of(*BUILDERS)
def reports_the_wrong_times(real: Any, *job: object, **fields: Any) -> Transition:
    made: Transition = real(*job, **fields)
    return replace(made, at=made.at - timedelta(seconds=1), chain_created_at=made.created_at)


@faults.instead_of(*BUILDERS)
def makes_illegal_moves(real: Any, *job: object, **fields: Any) -> Transition:
    made: Transition = real(*job, **fields)
    return replace(made, source=made.target)
