"""The stage: lets one actor take one step at a time, and knows if it stopped, ended, or waits for a lock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

from otelq.ports.state import StateAdapter
from otelq.postgres.state import PostgresState

from .actors import Actor, ActorCall, Script
from .statements import GatedSource, waits

LONGEST: Final = 20.0
"""Seconds after which an operation counts as one that never ends."""

GLANCE: Final = 0.002
"""Seconds between two queries for the sessions that wait."""

SECOND_LOOK: Final = frozenset({"set_lock_timeout", "take_pending"})
"""Statements with which a worker waits on purpose, a tenth of a second at most, after its commit."""

Waits = Mapping[Actor, frozenset[Actor]]


class Finding(AssertionError):
    """Raised for what must not happen; the text has the schedule that led to it."""


class Stage:
    """Actors on one store, each on an adapter of its own, and the schedule so far."""

    def __init__(self, factory: Callable[[], StateAdapter]) -> None:
        self._factory = factory
        self._stack = AsyncExitStack()
        self._idle: list[StateAdapter] = []
        self.actors: list[Actor] = []
        self.schedule: list[str] = []

    async def open(self) -> None:
        """Open the observing adapter. Those of actors are opened when they are needed, and used again."""
        self.observer = await self._opened(migrate=True)

    async def close(self) -> None:
        await self.clear()
        await self._stack.aclose()

    async def clear(self) -> None:
        """Cancel all actors, and empty the store."""
        for actor in self.actors:
            await actor.cancel()
            self._idle.append(actor.adapter)
        self.actors.clear()
        self.schedule.clear()
        await self.observer.truncate_all()

    @property
    def is_gated(self) -> bool:
        """Return True if actors stop before every statement, not only before verbs and commits."""
        return isinstance(self.observer, PostgresState)

    @property
    def ready(self) -> list[Actor]:
        """Return the actors that wait at their gates."""
        return [actor for actor in self.actors if actor.is_stopped]

    @property
    def open_actors(self) -> list[Actor]:
        """Return the actors that have not ended."""
        return [actor for actor in self.actors if not actor.is_done]

    # Actors

    async def enter(self, *operations: ActorCall, inside: bool = False, commits: bool = True) -> Actor:
        """Add a new actor, and return it once it waits before its first step."""
        adapter = self._idle.pop() if self._idle else await self._opened(migrate=False)
        script = Script(operations, inside=inside, commits=commits)
        actor = Actor(str(len(self.actors) + 1), script, adapter)
        self.actors.append(actor)
        self.schedule.append(f"{actor.name} enters: {actor.title}")
        await actor.moved()
        return actor

    async def step(self, actor: Actor) -> None:
        """Let one actor take one step; then all have stopped, ended, or wait for a lock."""
        actor.steps.append(actor.gate.open())
        waited = [other for other in self.actors if other.is_running and other is not actor]
        place = len(self.schedule)
        self.schedule.append(f"{actor.name} {actor.last}")
        await self._settle()
        self.schedule[place] += _ending(actor)
        self.schedule += [f"{other.name} waits no longer{_ending(other)}" for other in waited if not other.is_running]
        self._check_workers()

    async def to(self, actor: Actor, step: str) -> None:
        """Let one actor go on until it stops before a step of this name."""
        while actor.gate.step != step:
            self.demand(actor.is_stopped, f"{actor.name} never came to {step!r}")
            await self.step(actor)

    async def push(self, actor: Actor) -> None:
        """Let one actor go on as far as it can: to the end of its transaction, or to a lock."""
        while actor.is_stopped and not (actor.is_inside and actor.gate.step in ("commit", "roll back")):
            await self.step(actor)

    async def end(self, *actors: Actor) -> None:
        """Let these actors, or all, go on to their ends, the first of them first."""
        wanted = list(actors) or self.actors
        while rest := [actor for actor in wanted if not actor.is_done]:
            ready = [actor for actor in rest if actor.is_stopped] or self.ready
            if ready:
                await self.step(ready[0])
            else:
                await self._wait_for_some(rest)

    def demand(self, condition: bool, problem: str) -> None:
        """Raise a finding, with the schedule, unless the condition holds."""
        if not condition:
            raise Finding("\n".join([problem, "", "The schedule:", *(f"  {line}" for line in self.schedule)]))

    # Within

    async def _opened(self, *, migrate: bool) -> StateAdapter:
        adapter = self._factory()
        if isinstance(adapter, PostgresState):
            database = adapter._database  # pyright: ignore[reportPrivateUsage]  # the one seam below all verbs
            database.source = GatedSource(database.source)
        await adapter.open(migrate=migrate)
        self._stack.push_async_callback(adapter.close)
        return adapter

    async def _settle(self) -> None:
        """Wait until nothing moves: each actor has stopped, has ended, or waits for one that has stopped."""
        loop = asyncio.get_running_loop()
        limit = loop.time() + LONGEST
        while running := [actor for actor in self.actors if actor.is_running]:
            waiting = await self._waiting(running)
            stuck = [actor for actor in running if actor in waiting]
            for actor in running:
                actor.waits_on = waiting.get(actor, frozenset())
            # The answer is of a moment ago: an actor that stopped or ended since may have released the lock of another,
            # so the waits are read again unless all still run.
            if len(stuck) == len(running) and all(actor.is_running for actor in running):
                return
            self.demand(loop.time() < limit, f"{running[0].name} never ended its step {running[0].last!r}")
            await _some_moved([actor for actor in running if actor not in waiting], timeout=GLANCE)

    async def _wait_for_some(self, actors: Sequence[Actor]) -> None:
        """Wait where all actors wait; only a time limit of theirs can help."""
        await _some_moved(actors, timeout=LONGEST)
        self.demand(any(not actor.is_running for actor in actors), "all wait, and no actor can go on")
        await self._settle()

    async def _waiting(self, running: Sequence[Actor]) -> Waits:
        """Return which running actors wait for a lock, and for which actors, and will not go on by themselves."""
        if not isinstance(self.observer, PostgresState):
            # Such a store shows no waits. Its open transaction is taken to block every other actor.
            holders = frozenset(actor for actor in self.actors if actor.is_inside and actor.is_stopped)
            return dict.fromkeys(running, holders) if holders else {}
        found = await self._locks(self.observer, running)
        # The server ends a deadlock by itself, so those in one are not stuck: they go on with an error.
        circle = _in_circles(found)
        self._note(circle)
        return {actor: on for actor, on in found.items() if actor not in circle and not _is_patient(actor)}

    def _note(self, circle: Sequence[Actor]) -> None:
        """
        Note a deadlock, which the server ends. It is allowed only with a caller's transaction, or a verb that learns
        late what to lock.
        """
        for actor in circle:
            actor.met_a_deadlock = True
        if circle:
            names = " and ".join(f"{actor.name} in {actor.last!r}" for actor in circle)
            self.demand(any(_may_deadlock(actor) for actor in circle), f"a deadlock between verbs: {names}")

    async def _locks(self, observer: PostgresState, running: Sequence[Actor]) -> Waits:
        database = observer._database  # pyright: ignore[reportPrivateUsage]  # as above
        by_session = {actor.gate.session: actor for actor in self.open_actors}
        asked = [actor.gate.session for actor in running if actor.gate.session is not None]
        found = await waits(database, asked)
        named = {
            pid: frozenset(by_session[on] for on in blockers if on in by_session) for pid, blockers in found.items()
        }
        return {by_session[pid]: blockers for pid, blockers in named.items() if blockers}

    def _check_workers(self) -> None:
        """Demand that no worker waits for an open transaction, not even through others."""
        found = {actor: actor.waits_on for actor in self.actors if actor.is_running}
        for actor in found:
            operation = actor.now_doing
            if self.is_gated and operation and operation.never_waits and not actor.is_inside:
                # A worker that waits for another worker waits as long as that one does, hence through others too.
                others = [other.name for other in _reached(found, actor.waits_on) if other.is_inside]
                self.demand(not others, f"worker {actor.name} waits in {actor.last!r} for {' and '.join(others)}")


@asynccontextmanager
async def opened(factory: Callable[[], StateAdapter]) -> AsyncGenerator[Stage]:
    """Yield a stage on the store of the adapters that ``factory`` makes."""
    stage = Stage(factory)
    await stage.open()
    try:
        yield stage
    finally:
        await stage.close()


def _may_deadlock(actor: Actor) -> bool:
    return actor.script.inside or (actor.now_doing is not None and actor.now_doing.learns_what_to_lock)


def _is_patient(actor: Actor) -> bool:
    return set(actor.steps) >= SECOND_LOOK


def _in_circles(found: Waits) -> list[Actor]:
    """Return the actors that wait, through others, for themselves."""
    return [actor for actor in found if actor in _reached(found, found[actor])]


def _reached(found: Waits, start: frozenset[Actor]) -> set[Actor]:
    seen: set[Actor] = set()
    frontier = set(start)
    while frontier:
        seen |= frontier
        frontier = {further for actor in frontier for further in found.get(actor, ())} - seen
    return seen


async def _some_moved(actors: Sequence[Actor], *, timeout: float) -> None:
    moves: list[asyncio.Future[Any]] = [asyncio.ensure_future(actor.moved()) for actor in actors]
    if not moves:
        await asyncio.sleep(timeout)
        return
    try:
        await asyncio.wait(moves, return_when=asyncio.FIRST_COMPLETED, timeout=timeout)
    finally:
        for move in moves:
            move.cancel()


def _ending(actor: Actor) -> str:
    if not actor.is_done:
        return " ... waits for a lock" if actor.is_running else ""
    return f" -> {type(actor.error).__name__}: {actor.error}" if actor.error else " -> done"
