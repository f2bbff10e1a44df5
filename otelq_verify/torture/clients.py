"""The clients of a run: they start chains of every kind and act on them, whatever happens to the database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from typing import Any, Final

import anyio

from otelq.client import Client, Start, new_id
from otelq.definitions import AllOf, AnyOf, Chain, JobType
from otelq.definitions.blockers import IfFailed
from otelq.errors import AlreadyExists, OtelqError, Unavailable
from otelq.model import Dedup

from . import handlers
from .handlers import ChainWalk, Pace, Spawn
from .knowledge import RECENT, Knowledge
from .plan import TorturePlan
from .tables import ORDERS, execute

FAR: Final = 3600.0
"""Seconds until a job is due that waits for a client to move it."""

MOST_LATER: Final = 8
"""Such jobs at once."""

SO_RECENT: Final = 4
"""Chains of a type that were started last are likely to be open."""

SOON: Final = 0.01
"""Seconds after which a deed is cancelled that is to be, on average."""

AGAIN: Final = 0.1
"""Seconds before a start of which nothing is known is tried again."""

_IF_FAILED: Final[tuple[IfFailed, ...]] = ("fail", "ignore", "wait")

Action = Callable[[], Awaitable[None]]


class _RollBack(Exception):
    """Raised to roll a caller's transaction back."""


class _NoChain(Exception):
    """Raised where no chain was started yet on which an action could be done."""


def _there(chain: Chain[Any] | None) -> Chain[Any]:
    if chain is None:
        raise _NoChain
    return chain


class Feeder:
    """
    One client. Starts chains under ids of its own, and repeats a start by its id until its result is known.

    Args:
        client: reaches the database as the workers do.
        chance: decides what it does; its own.
        knowledge: what all feeders know.
        plan: of the run.
        longest_effect: seconds that a handler keeps its completion open, at most.
    """

    def __init__(
        self, client: Client, *, chance: Random, knowledge: Knowledge, plan: TorturePlan, longest_effect: float
    ) -> None:
        self._client = client
        self._chance = chance
        self._known = knowledge
        self._plan = plan
        self._longest_effect = longest_effect
        self._open = 0
        self._starts: Mapping[Action, int] = {
            self.walk: 10,
            self.nameless: 3,
            self.hops: 4,
            self.single: 8,
            self.stubborn: 3,
            self.long: 2,
            self.keyed: 5,
            self.fan_in: 6,
            self.waiting: 3,
            self.in_transaction: 6,
            self.later: 3,
            self.expiring: 2,
        }
        self._acts: Mapping[Action, int] = {
            self.cancel: 2,
            self.move_later: 4,
            self.amend: 2,
            self.take_over: 2,
            self.redrive: 4,
            self.delete: 3,
        }

    async def feed(self, until: asyncio.Event) -> None:
        """Go on until the event is set."""
        while not until.is_set():
            await asyncio.sleep(self._chance.expovariate(self._plan.rate / self._plan.feeders))
            await self._do(self._next())

    def _next(self) -> Action:
        """
        Return a start if the backlog has space, or an action on a started chain; weights decide how often each is
        drawn.
        """
        is_full = self._open >= self._plan.backlog
        actions = self._acts if is_full or self._chance.random() < 0.3 else self._starts
        return self._chance.choices(list(actions), list(actions.values()))[0]

    async def _do(self, action: Action) -> None:
        try:
            self._open = (await self._client.count(of="chains", status="open")).number
            if self._chance.random() < self._plan.cancels:
                await self._cut_short(action)
            else:
                await action()
            self._known.counted(action)
        except _NoChain:
            pass
        except (OtelqError, OSError, TimeoutError) as error:
            self._known.refused(action, error)

    async def _cut_short(self, action: Action) -> None:
        """Run an action with a limit of some milliseconds, of anyio, which cancels again and again, or of asyncio."""
        seconds = self._chance.expovariate(1 / SOON)
        if self._chance.random() < 0.5:
            with anyio.fail_after(seconds):
                await action()
        else:
            async with asyncio.timeout(seconds):
                await action()

    # Starts

    async def walk(self) -> None:
        """Start steps with effects, one after the other or with pauses."""
        walk = self._walk()
        if chain := await self._start(handlers.walk, walk, priority=self._chance.randint(-1, 1)):
            self._known.outputs[chain.id] = walk.left + 1

    async def nameless(self) -> None:
        """Make a plain start, as most applications do: if its reply is lost, the chain stays unknown."""
        chain = await self._client.start(handlers.walk, self._walk())
        self._committed(chain)

    async def hops(self) -> None:
        """Start many at once."""
        starts = [
            Start(handlers.hop, ChainWalk(self._chance.randint(0, 3), self._pace()), id=new_id())
            for _ in range(self._chance.randint(2, 6))
        ]
        await self._known_starts(starts)

    async def single(self) -> None:
        """Start a chain of one job, of an unusual type."""
        types: list[JobType[Pace, Any]] = [
            handlers.in_thread,
            handlers.moody,
            handlers.frail,
            handlers.doomed,
            handlers.leaf,
        ]
        await self._start(self._chance.choice(types), self._pace())

    async def stubborn(self) -> None:
        """Start some that block the event loop one after the other."""
        paces = [self._pace() for _ in range(self._chance.randint(2, 4))]
        for chain in await self._client.start_many(handlers.stubborn, paces):
            self._committed(chain)

    async def long(self) -> None:
        """Start an attempt of several leases, or one that survives few crashes."""
        job_type = self._chance.choice([handlers.long, handlers.fragile])
        await self._start(job_type, Pace(self._chance.uniform(2, 6), self._after()))

    async def keyed(self) -> None:
        """Start with one of few dedup keys."""
        scope = self._chance.choice(["open", "open", "any"])
        dedup = Dedup(
            f"{scope}-{self._chance.randint(1, 4)}",
            scope="any" if scope == "any" else "open",
            window=3.0 if scope == "any" else None,
        )
        await self._start(handlers.keyed, self._pace(), dedup=dedup)

    async def fan_in(self) -> None:
        """Start blockers that end at about one instant, and a chain that waits for them by some rule."""
        on_failure, pace = self._chance.choice(_IF_FAILED), self._pace()
        kinds: list[tuple[JobType[Any, int], Any]] = [
            (handlers.leaf, pace),
            (handlers.hop, ChainWalk(0, pace)),
            (handlers.coin, pace),
            (handlers.doomed, pace),
        ]
        weights = [3, 4, 2, 0 if on_failure == "wait" else 1]  # a wait for a chain that never completes would not end
        chosen = self._chance.choices(kinds, weights, k=3)
        starts: list[Start[Any]] = [Start(kind, input, id=new_id()) for kind, input in chosen]
        blockers = await self._known_starts(starts)
        rule = AnyOf if self._chance.random() < 0.33 else AllOf
        await self._start(handlers.gather, self._pace(), blockers=rule(blockers, on_failure=on_failure))

    async def waiting(self) -> None:
        """Start a handler that starts chains, to wait for them or with its completion."""
        job_type = self._chance.choice([handlers.waiter, handlers.spawner])
        await self._start(job_type, Spawn(self._chance.randint(1, 3), self._pace()))

    async def in_transaction(self) -> None:
        """Start in the caller's transaction, with a row of the caller's; one in three is rolled back."""
        id, rolls_back, is_at_end = new_id(), self._chance.random() < 0.33, False
        self._known.tied.add(id)
        try:
            async with self._client.transaction() as tx:
                await execute(tx, f"INSERT INTO {ORDERS} VALUES (?)", id)
                chain = await self._client.start(handlers.hop, ChainWalk(1, self._pace()), tx=tx, id=id)
                if rolls_back:
                    raise _RollBack
                is_at_end = True
        except _RollBack:
            self._known.rolled_back.add(id)
        except Exception as error:  # whatever the driver raises where the connection is gone
            (self._known.doubtful if is_at_end else self._known.rolled_back).add(id)
            self._known.refused(self.in_transaction, error)
        else:
            self._committed(chain)

    async def later(self) -> None:
        """Start a chain that is due in an hour."""
        if self._known.remembered(handlers.later.name) >= MOST_LATER:
            return await self.move_later()
        await self._start(handlers.later, self._pace(), delay=FAR)

    async def expiring(self) -> None:
        """Start a chain that is due just before it expires, or well before."""
        delay = self._chance.choice([0.0, 0.5, 0.99])
        await self._start(handlers.hop, ChainWalk(0, self._pace()), delay=delay, expires=1.0)

    # Deeds on chains that were started

    async def cancel(self) -> None:
        """Cancel a chain, most likely an open one."""
        await self._client.cancel(self._some(last=SO_RECENT))

    async def move_later(self) -> None:
        """Trigger, complete, amend or cancel a chain that is due in an hour."""
        chain = _there(self._known.take(handlers.later.name))
        match self._chance.randint(1, 5):
            case 1:
                await self._client.cancel(chain)
            case 2 | 3:
                await self._client.complete(chain, 2, step=handlers.later)
            case 4:
                await self._client.amend(chain, step=handlers.later, input=self._pace(), delay=0.0)
            case _:
                await self._client.trigger(chain)

    async def amend(self) -> None:
        """Give a chain another priority, and another time."""
        chain, priority = self._some(last=SO_RECENT), self._chance.randint(-2, 2)
        await self._client.amend(chain, priority=priority, delay=self._chance.uniform(0, 0.5))

    async def take_over(self) -> None:
        """Take a job from the worker that runs it."""
        await self._client.take_over(self._some("long", "fragile", "walk", last=SO_RECENT))

    async def redrive(self) -> None:
        """Redrive a failed chain."""
        await self._client.redrive(self._some("coin", "quick-frail", "quick-doomed", "fragile", "gather"))

    async def delete(self) -> None:
        """Delete a chain, mostly one that has ended, at times with all its blockers."""
        await self._client.delete(self._some(), cascade=self._chance.random() < 0.3)

    def _some(self, *names: str, last: int = RECENT) -> Chain[Any]:
        return _there(self._known.some(self._chance, *names, last=last))

    # How they are made

    async def _start(self, job_type: JobType[Any, Any], input: Any, **options: Any) -> Chain[Any] | None:
        [chain] = await self._known_starts([Start(job_type, input, id=new_id(), **options)])
        return None if chain.deduplicated else chain

    async def _known_starts(self, starts: Sequence[Start[Any]]) -> list[Chain[Any]]:
        """Start these, and try again by their ids until it is known that they exist."""
        while True:
            try:
                chains = await self._client.start_many(starts)
            except AlreadyExists:
                chains = [Chain(start.id, start.job_type) for start in starts]
            except Unavailable as error:
                self._known.refused(self._known_starts, error)
                await asyncio.sleep(AGAIN)
                continue
            for chain in chains:
                self._committed(chain)
            return chains

    def _committed(self, chain: Chain[Any]) -> None:
        self._known.committed.add(chain.id)
        if not chain.deduplicated:
            self._known.remember(chain)

    def _walk(self) -> ChainWalk:
        delay = self._chance.choice([None, None, None, 0.1, 0.5])
        return ChainWalk(self._chance.randint(0, 4), self._pace(), delay)

    def _pace(self) -> Pace:
        return Pace(self._chance.uniform(0.02, 0.5), self._after())

    def _after(self) -> float:
        return self._chance.uniform(0, self._longest_effect)
