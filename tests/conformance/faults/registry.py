"""Registries that list the dead, or hide the living; and leaderships that two hold, or nobody gets."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from otelq.model import Leadership, WorkerBeat

from .adapter import SqliteState, registry
from .planting import Fault, Faults, replaced

faults = Faults()
faults.statements(
    lists_the_dead=("read_workers", "seen_at BETWEEN :oldest AND :newest", "true"),
    forgets_what_workers_refuse=("read_workers", "types, refused", "types, '{}'"),
    removes_no_old_workers=("remove_old_workers", "WHERE seen_at < :oldest OR", "WHERE"),
    removes_no_workers_from_the_future=("remove_old_workers", "OR seen_at > :newest", ""),
    removes_every_other_worker=("remove_old_workers", "seen_at < :oldest", "seen_at < :newest"),
    removes_no_stopped_workers=("remove_workers", "WHERE id IN", "WHERE id NOT NULL AND id NOT IN"),
    sees_a_worker_once=("beat", "running = excluded.running, seen_at = excluded.seen_at", "running = excluded.running"),
    restarts_with_each_beat=("beat", "seen_at = excluded.seen_at", "seen_at = excluded.seen_at, started_at = :now"),
    truncates_no_workers=("truncate_worker", '_worker"', '_worker" WHERE false'),
    lets_those_who_ask_at_once_lead=("lead", "WHERE leader.until <= :now OR leader.holder = excluded.holder", ""),
    leads_for_ever=("lead", "WHERE leader.until <= :now OR", "WHERE"),
    gives_all_leaders_one_token=("lead", "leader.token + (leader.until <= :now)", "leader.token"),
    gives_a_token_for_each_extension=("lead", "leader.token + (leader.until <= :now)", "leader.token + 1"),
    extends_nothing=("lead", "until = excluded.until\n", "until = max(leader.until, :now + 1000000)\n"),
    renews_a_leadership_that_is_over=("lead", "(leader.until <= :now)", "(leader.holder <> excluded.holder)"),
    resigns_nothing=("resign", "SET until = :now", "SET until = until"),
    resigns_for_others=("resign", "AND holder = :holder AND token = :token", ""),
    knows_one_leadership=("read_leader", "name = :task AND", ""),
)
faults.append(Fault("has_no_patience", partial(replaced, [(SqliteState, "live_for", SqliteState.beat_interval)])))


@faults.instead_of(registry.beat)
async def knows_workers_by_name(real: Any, db: Any, at: int, *, beats: Sequence[WorkerBeat], **call: Any) -> None:
    await real(db, at, beats=[replace(beat, id=beat.name) for beat in beats], **call)


@faults.instead_of(registry.beat)
async def adds_a_worker_of_its_own(real: Any, db: Any, at: int, *, beats: Sequence[WorkerBeat], **call: Any) -> None:
    own = WorkerBeat(id="own", name="own", host="here.example", pid=1, version="0", slots=1)
    await real(db, at, beats=[*beats, own], **call)


@faults.instead_of(registry._has_ended)
def takes_its_own_process_for_dead(real: Any, worker: object) -> bool:
    return not real(worker) and getattr(worker, "host", "") != "elsewhere.example"


@faults.instead_of(SqliteState.lead)
async def refuses_nobody(real: Any, self: Any, name: str, *, holder: str, seconds: float, **call: Any) -> Leadership:
    found = await real(self, name, holder=holder, seconds=seconds, **call)
    return found or Leadership(name, holder, 1, call["now"])


@faults.instead_of(SqliteState.lead)
async def refuses_everybody(real: Any, self: Any, name: str, *, holder: str, **call: Any) -> Leadership | None:
    return await real(self, name, holder=holder, **call) and None
