"""Completions from outside, triggers, cancels and deletions, done by halves."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from otelq.errors import InvalidArgument, NotFound
from otelq.transitions import refusals
from otelq_verify.conformance.kit import Abandoned

from .adapter import SqliteState, close
from .planting import Faults

_OF_THE_CHAINS = "chain_id IN (SELECT value FROM json_each(:chains))"
_NOT_OF_THEM = "chain_id NOT IN (SELECT value FROM json_each(:chains))"
_DOOMED = "ON blocker.chain_id = doomed.chain_id"

faults = Faults()
faults.statements(
    deletes_what_others_wait_for=("find_dependent", "LIMIT 1", "LIMIT 0"),
    deletes_no_blocker_with_its_dependents=("find_dependent", f"WHERE blocker.{_NOT_OF_THEM}", ""),
    leaves_the_blockers_of_a_deleted_chain=("delete_blocker", _OF_THE_CHAINS, "false"),
    cascades_nowhere=("find_cascade", _DOOMED, "ON false"),
    cascades_one_step=("find_cascade", _DOOMED, f"{_DOOMED} AND doomed.{_OF_THE_CHAINS}"),
    cascades_a_hundred_steps=("find_cascade", _DOOMED, f"{_DOOMED} LIMIT 100"),
    cascades_through_first_jobs_alone=("find_cascade", _DOOMED, f"{_DOOMED} AND blocker.position = 0"),
)


def _writing_nothing(name: str, verb: Any) -> None:
    """Add a verb that makes its transitions in a transaction that is rolled back."""

    async def replacement(real: Any, self: Any, asked: object, *, tx: object = None, **call: Any) -> Any:
        if tx is not None:
            return await real(self, asked, tx=tx, **call)
        made: Sequence[object] = []
        with suppress(Abandoned):
            async with self.begin() as own:
                made = await real(self, asked, tx=own, **call)
                raise Abandoned
        return made

    replacement.__name__ = name
    faults.instead_of(verb)(replacement)


_writing_nothing("completes_nothing_externally", SqliteState.complete_externally)
_writing_nothing("cancels_nothing", SqliteState.cancel)
_writing_nothing("deletes_nothing", SqliteState.delete)
_writing_nothing("takes_over_nothing", SqliteState.take_over)


@faults.instead_of(SqliteState.complete_externally)
async def completes_any_step_externally(real: Any, self: object, closures: Sequence[Any], **call: Any) -> Any:
    return await real(
        self, [replace(closure, aliases=("work", "first", "next", "third")) for closure in closures], **call
    )


@faults.instead_of(close._complete)
async def reports_an_external_completion_twice(real: Any, *call: object) -> Any:
    return await real(*call) * 2


@faults.instead_of(refusals.chain_closed)
def calls_closed_chains_missing(real: Any, *call: object) -> NotFound:
    return NotFound("no such chain")


@faults.instead_of(refusals.chain_not_found)
def calls_missing_chains_invalid(real: Any, chain_id: str) -> InvalidArgument:
    return InvalidArgument("chain", "does not exist")


@faults.instead_of(refusals.check_trigger)
def triggers_anything(real: Any, *call: object) -> None:
    return None


@faults.instead_of(SqliteState.trigger)
async def triggers_silently(real: Any, self: object, chain_ids: object, **call: Any) -> Sequence[object]:
    await real(self, chain_ids, **call)
    return []


@faults.instead_of(SqliteState.cancel)
async def cancels_one_after_the_other(real: Any, self: object, chain_ids: Sequence[str], **call: Any) -> Any:
    return [made for chain_id in chain_ids for made in await real(self, [chain_id], **call)]


@faults.instead_of(SqliteState.cancel)
async def cancels_no_empty_batch(real: Any, self: object, chain_ids: Sequence[str], **call: Any) -> Any:
    if not chain_ids:
        raise InvalidArgument("chains", "is empty")
    return await real(self, chain_ids, **call)
