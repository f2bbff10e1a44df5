"""The registry of workers: who is alive, as workers say themselves."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from otelq.model import WorkerBeat, WorkerRecord

from ..cases import Theme
from ..kit import Kit, equal, true

workers = Theme[Kit]("workers")


def _beat(id: str, **fields: Any) -> WorkerBeat:
    """Return the beat of a worker on another machine."""
    usual = WorkerBeat(id=id, name=f"worker {id}", host="elsewhere.example", pid=7, version="1.2", slots=10)
    return replace(usual, **fields)


async def _send(kit: Kit, *beats: WorkerBeat) -> None:
    await kit.adapter.beat(beats, now=kit.now)


async def _live(kit: Kit) -> Sequence[WorkerRecord]:
    """Return the live workers in the order of their ids."""
    return sorted(await kit.adapter.workers(now=kit.now), key=lambda worker: worker.id)


async def _ids(kit: Kit) -> list[str]:
    return [worker.id for worker in await _live(kit)]


@workers.case
async def keep_every_field(kit: Kit) -> None:
    """A worker is listed with all that its beat said, and started as long ago as it said."""
    refused = {"mail.send": 'no "AsyncSession"\nhere; 100 % sure, {braces}'}
    beat = _beat("a", queues=("mail", "größe"), types=("mail.send", "x'y\\z"), refused=refused, running=3, age=2.5)
    await _send(kit, beat)
    expected = WorkerRecord(
        id="a",
        name="worker a",
        host="elsewhere.example",
        pid=7,
        version="1.2",
        queues=("mail", "größe"),
        types=("mail.send", "x'y\\z"),
        refused=refused,
        slots=10,
        running=3,
        started_at=kit.after(-2.5),
        seen_at=kit.now,
    )
    equal(await _live(kit), [expected], "the live workers")


@workers.case
async def are_none_at_first(kit: Kit) -> None:
    """Before the first beat nothing is listed, and an empty batch of beats adds nothing."""
    await _send(kit)
    equal(list(await _live(kit)), [], "the live workers")


@workers.case
async def are_refreshed(kit: Kit) -> None:
    """A later beat of a worker replaces all that it said before, but not the time of its start."""
    await _send(kit, _beat("a", types=("one",), refused={"one": "no"}, running=9, age=5))
    first = (await _live(kit))[0]
    kit.wait(30)
    again = _beat("a", name="renamed", host="moved.example", pid=8, version="1.3", queues=("q",), slots=4, age=60)
    await _send(kit, again)
    changed = replace(first, name="renamed", host="moved.example", pid=8, version="1.3", queues=("q",), slots=4)
    expected = replace(changed, types=(), refused={}, running=0, seen_at=kit.now)
    equal(await _live(kit), [expected], "the live workers")


@workers.case
async def are_told_apart_by_their_ids(kit: Kit) -> None:
    """Workers with equal names, hosts and processes are listed each; a batch has a beat of several."""
    await _send(kit, _beat("a", name="same"), _beat("b", name="same"))
    await _send(kit, _beat("c", name="same"))
    equal(await _ids(kit), ["a", "b", "c"], "the ids of the live workers")


@workers.case
async def are_removed_when_they_stop(kit: Kit) -> None:
    """A worker that stopped is not listed any more, and its neighbours are; removing it twice is fine."""
    await _send(kit, _beat("a"), _beat("b"), _beat("c"))
    await kit.adapter.remove_workers(["a", "nobody", "c"])
    await kit.adapter.remove_workers(["a"])
    equal(await _ids(kit), ["b"], "the ids of the live workers")


@workers.case
async def are_live_for_a_while(kit: Kit) -> None:
    """A worker that was not seen for ``live_for`` seconds is not listed, though nobody has removed it."""
    await _send(kit, _beat("a"))
    kit.wait(kit.adapter.live_for - 1)
    equal(await _ids(kit), ["a"], "the workers that were seen just in time")
    kit.wait(2)
    equal(await _ids(kit), [], "the workers that were not seen for too long")


@workers.case
async def outlive_two_lost_beats(kit: Kit) -> None:
    """A worker lives for longer than two beats, so that a lost one does not hide it."""
    true(
        kit.adapter.live_for > 2 * kit.adapter.beat_interval,
        f"a worker is dead after {kit.adapter.live_for:g} seconds, and beats every {kit.adapter.beat_interval:g}",
    )


@workers.case
async def are_removed_by_the_beats_of_others(kit: Kit) -> None:
    """A beat removes workers that were not seen for too long, and none that were."""
    await _send(kit, _beat("dead"))
    kit.wait(2)
    await _send(kit, _beat("live"))
    kit.wait(kit.adapter.live_for - 1)
    await _send(kit, _beat("other"))
    kit.wait(-10)  # to when all three would be listed, were they still there
    equal(await _ids(kit), ["live", "other"], "the ids of the workers that are stored")


@workers.case
async def return_after_they_were_removed(kit: Kit) -> None:
    """A worker that was away for long, as its database was, is listed again after its next beat."""
    await _send(kit, _beat("a"), _beat("b"))
    kit.wait(10 * kit.adapter.live_for)
    await _send(kit, _beat("b", age=20 * kit.adapter.live_for))
    await _send(kit, _beat("a"))
    equal(await _ids(kit), ["a", "b"], "the ids of the live workers")


@workers.case
async def of_another_clock_do_not_last(kit: Kit) -> None:
    """A worker that was seen in the future, by a clock that was set back since, is not listed for ever."""
    kit.wait(10 * kit.adapter.live_for)
    await _send(kit, _beat("a"))
    kit.wait(-5 * kit.adapter.live_for)
    equal(await _ids(kit), [], "the workers that were seen in the future")
    await _send(kit, _beat("b"))
    kit.wait(5 * kit.adapter.live_for)
    equal(await _ids(kit), [], "the workers that are stored")


@workers.case
async def of_this_process_are_live(kit: Kit) -> None:
    """A worker of this very process is listed, on a store that looks for processes too."""
    await _send(kit, _beat("a", host=socket.gethostname(), pid=os.getpid()))
    equal(await _ids(kit), ["a"], "the ids of the live workers")


@workers.case
async def are_truncated(kit: Kit) -> None:
    """``truncate_all`` removes workers; those that are alive return with their next beat."""
    await _send(kit, _beat("a"))
    await kit.adapter.truncate_all()
    equal(await _ids(kit), [], "the ids of the live workers")
    await _send(kit, _beat("a"))
    equal(await _ids(kit), ["a"], "the ids after the next beat")
