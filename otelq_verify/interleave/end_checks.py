"""The checks after all actors have ended: of the tables, of the reported transitions, and of the remaining work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from otelq.errors import OtelqError, Refused, Unavailable
from otelq.model import (
    OPEN,
    ClaimRequest,
    Completes,
    JobKey,
    JobQuery,
    ReapRule,
    Settlement,
    Status,
    Transition,
    Verb,
)
from otelq.ports.state import StateAdapter

from ..invariants import violations
from .actors import Actor
from .stage import Stage

TYPES: Final = ("work", "next")
ROUNDS: Final = 40
"""More than the longest line of chains that wait for each other."""

LATER: Final = timedelta(days=2)
"""When every delay and every lease is over."""

Node = Status | str
START: Final = "nothing"
GONE: Final = "deleted"
IN_LINE: Final = frozenset({Status.SCHEDULED, Status.READY})
"""The clock alone makes one of the other."""


async def check_end(stage: Stage, before: Sequence[Transition], *, schema: str = "otelq") -> None:
    """
    Check that nothing is broken once all actors have ended; then carry all work to its end, and check again.

    ``before`` is what was done before the first of them came.

    Raises:
        Finding: with the schedule.
    """
    for actor in stage.actors:
        if problem := _wrong_error(actor):
            stage.demand(False, f"{actor.name}: {problem}")
    made = dict.fromkeys([*before, *(change for actor in stage.actors for change in actor.made)])
    await _check_invariants(stage, schema)
    await _compare(stage, list(made))
    await _carry_on(stage)
    await _check_invariants(stage, schema)


def _wrong_error(actor: Actor) -> str | None:
    """Return the error of an actor if no caller should see it."""
    error = actor.error
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, Unavailable):
        return None if actor.script.inside and actor.met_a_deadlock else text
    if isinstance(error, Refused):
        return text if "SQLSTATE" in text else None
    return text if type(error) is OtelqError else None


async def _check_invariants(stage: Stage, schema: str) -> None:
    """Check the tables against the invariants."""
    async with stage.observer.begin() as tx:
        found = await violations(tx.handle, schema)
    stage.demand(not found, "\n".join(str(each) for each in found))


# What was reported


async def _compare(stage: Stage, made: Sequence[Transition]) -> None:
    """Check that some serial order of the committed transitions leads each job to its status."""
    by_job: dict[JobKey, list[Transition]] = {}
    for change in made:
        by_job.setdefault((change.chain_id, change.position), []).append(change)
    standing = await _standing(stage.observer)
    for key, status in standing.items():
        problem = unexplained(by_job.get(key, ()), status)
        stage.demand(problem is None, f"job {key[0]}.{key[1]}: {problem}")
    for key in by_job.keys() - standing.keys():
        problem = unexplained(by_job[key], GONE)
        stage.demand(problem is None, f"job {key[0]}.{key[1]}: {problem}")


async def _standing(adapter: StateAdapter) -> Mapping[JobKey, Status]:
    page = await adapter.jobs(JobQuery(limit=1000))
    return {(job.chain_id, job.position): job.status for job in page.items}


def unexplained(made: Iterable[Transition], end: Node) -> str | None:
    """
    Return why no order of these transitions leads a job from its start to its status; None if one does.

    Each is a way from one status to another: a walk that takes every way once exists if all are reached, and if as
    many lead to each status as away from it, but for the first and the last.
    """
    ways = [(_node(change.source, START), _node(change.target, GONE)) for change in made]
    balance = Counter(source for source, _ in ways)
    balance.subtract(target for _, target in ways)
    balance.subtract([START])
    balance.update([_node(end if isinstance(end, Status) else None, GONE)])
    verbs = ", ".join(f"{change.verb} ({change.source} to {change.target})" for change in made)
    if any(balance.values()) or {source for source, _ in ways} - _reached(ways):
        return f"is {end}, which no order explains of: {verbs or 'nothing'}"
    return None


def _node(status: Status | None, none: str) -> Node:
    if status is None:
        return none
    return Status.READY if status in IN_LINE else status


def _reached(ways: Sequence[tuple[Node, Node]]) -> set[Node]:
    seen: set[Node] = {START}
    while further := {target for source, target in ways if source in seen} - seen:
        seen |= further
    return seen


# The rest of the work


async def _carry_on(stage: Stage) -> None:
    """Carry the remaining work on through plain verbs, until every chain is closed."""
    later = datetime.now(UTC) + LATER
    for token in range(1, ROUNDS):
        if not await _work_off(stage.observer, later, token):
            break
    left = await stage.observer.chains(JobQuery(statuses=OPEN, limit=1000))
    stuck = [f"chain {chain.chain_id} is {chain.tail.status}" for chain in left.items]
    stage.demand(not stuck, f"work that cannot be carried to its end: {', '.join(stuck)}")


async def _work_off(adapter: StateAdapter, now: datetime, token: int) -> bool:
    """Run one round: what is pending, what is lost, what is ready. Return False if there was nothing."""
    made = [*await adapter.unblock_pending(now=now)]
    rules = [ReapRule(type=type, max_attempts=None, max_crashes=1_000) for type in TYPES]
    made += await adapter.reap(rules, now=now)
    wanted = [ClaimRequest(type=type, limit=100, lease=30.0) for type in TYPES]
    claimed, changes = await adapter.claim(wanted, worker="last", token=token, now=now)
    made += changes
    settled = await adapter.settle([Settlement(job, Completes("1"), "last") for job in claimed], now=now)
    return any(change.verb is not Verb.RENEW for change in (*made, *settled.transitions))
