"""Verbs in transactions that the application writes in too; a commit in doubt is looked up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

from otelq.effects import Effects
from otelq.errors import OtelqError, Unavailable
from otelq.inprocess import notifier
from otelq.model import Completes, Continues, Dedup, Outcome, Settlement, SettleResult, Successor, Transition
from otelq.ports.state import Transaction
from otelq.telemetry import Telemetry

from ...conformance.kit import Broken, equal, true
from ..recovery import write_ledger
from ..scenario_kit import Act, Scenario, ScenarioKit, World
from .arrangement import leased, requested
from .requests import planned, tied
from .starts import beside_a_closed_holder, beside_blockers

Write = Callable[[ScenarioKit, World, Transaction], Awaitable[Sequence[Transition]]]
SOON = 1.0
"""Seconds in which it is known how a transaction ended, or can only be looked up."""

Begin = Callable[[ScenarioKit], AbstractAsyncContextManager[Transaction]]


@asynccontextmanager
async def own(scene: ScenarioKit) -> AsyncGenerator[Transaction]:
    """Begin a transaction of the adapter's own, as ``client.transaction()`` does."""
    async with scene.adapter.begin() as tx:
        yield tx


@asynccontextmanager
async def of_the_caller(scene: ScenarioKit) -> AsyncGenerator[Transaction]:
    """
    Begin a transaction of the application, on the connection or session of its driver.

    Raises:
        Unavailable: the driver raised something.
    """
    assert scene.application is not None
    try:
        async with scene.application.transaction() as handle:
            yield scene.adapter.join(handle)
    except (OtelqError, Broken):
        raise
    except Exception as error:
        raise Unavailable(f"the application's own transaction failed: {error!r}") from error


def reported(write: Write, *, begin: Begin = own) -> Act:
    """
    Return the act of writing in a transaction, beside a row of the application.

    It returns the transitions that otelq's effects report as committed, and raises ``Unavailable`` where the
    transaction failed and the effects report no commit.
    """

    async def act(scene: ScenarioKit, world: World) -> Sequence[Transition]:
        confirmed, is_known = scene.confirmed, asyncio.Event()
        is_known.set()  # nothing has been written yet
        effects = Effects(state=scene.adapter, notify=notifier(None), telemetry=Telemetry(system=scene.adapter.name))
        effects.open()

        def ended(committed: bool) -> None:
            confirmed.extend(made if committed else ())
            is_known.set()

        async def close() -> None:
            with suppress(TimeoutError):  # a client outlives its transaction, and drivers report the end soon
                await asyncio.wait_for(is_known.wait(), SOON)
            await effects.close()

        made: Sequence[Transition] = ()
        try:
            async with begin(scene) as tx:
                await write_ledger(scene, tx.handle, chain_id=_chain(world))
                made = await write(scene, world, tx)
                is_known.clear()
                effects.follow(made, tx=tx, on_known=ended)
            await close()
        except Unavailable:
            await close()
            if not confirmed:
                raise
        except asyncio.CancelledError:
            scene.inquiry = close
            raise
        return confirmed

    return act


def _chain(world: World) -> str:
    return world.jobs[0].chain_id if world.jobs else world.chains[0]


async def _starts(scene: ScenarioKit, world: World, tx: Transaction) -> Sequence[Transition]:
    created, made = await scene.create(*world.jobs, tx=tx)
    true(all(one.is_new for one in created), "a chain exists whose transaction did not commit")
    return made


async def _cancels(scene: ScenarioKit, world: World, tx: Transaction) -> Sequence[Transition]:
    return await scene.cancel(*world.chains, tx=tx)


async def _deletes(scene: ScenarioKit, world: World, tx: Transaction) -> Sequence[Transition]:
    return await scene.delete(*world.chains, tx=tx)


async def _triggers(scene: ScenarioKit, world: World, tx: Transaction) -> Sequence[Transition]:
    await scene.adapter.lock(world.chains, tx=tx)
    return await scene.trigger(*world.chains, tx=tx)


def completes(outcome: Outcome) -> Act:
    """
    Return the act of closing a job in the transaction of its handler's writes, as a worker does.

    If the commit is in doubt, the token of the finished attempt decides. The act raises ``Unavailable`` where nothing
    was committed.
    """

    async def act(scene: ScenarioKit, world: World) -> Sequence[Transition]:
        [job] = world.held
        lease = job.lease
        made: Sequence[Transition] = ()

        async def is_done() -> bool:
            attempts = await scene.adapter.attempts(lease.chain_id, lease.position)
            return any(attempt.token == lease.token for attempt in attempts)

        async def inquire() -> None:
            if await is_done():
                scene.confirmed.extend(made)

        try:
            async with scene.adapter.begin() as tx:
                await write_ledger(scene, tx.handle, chain_id=lease.chain_id, token=lease.token)
                settled = await scene.settle_all(Settlement(job, outcome, "worker"), tx=tx)
                equal(settled.results, (SettleResult.DONE,), "the verdict on a lease that is held")
                made = settled.transitions
        except Unavailable:
            if not await is_done():
                raise
        except asyncio.CancelledError:
            scene.inquiry = inquire
            raise
        return made

    return act


INSIDE = (
    Scenario(
        name="completion(): complete a job that others wait for",
        arrange=leased(waiting=2, dedup=Dedup("key")),
        act=completes(Completes("1")),
        is_same=True,
        writes=True,
    ),
    Scenario(
        name="completion(): continue a chain",
        arrange=leased(),
        act=completes(Continues(Successor(type="next", input="2"))),
        is_same=True,
        writes=True,
    ),
    Scenario(
        name="transaction(): start two chains",
        arrange=requested({}, {}),
        act=reported(_starts),
        is_same=True,
        writes=True,
    ),
    Scenario(
        name="transaction(): start chains that wait",
        arrange=beside_blockers,
        act=reported(_starts),
        is_same=True,
        writes=True,
    ),
    Scenario(
        name="transaction(): start chains with dedup keys",
        arrange=beside_a_closed_holder,
        act=reported(_starts),
        is_same=True,
        writes=True,
    ),
    Scenario(name="transaction(): cancel", arrange=tied, act=reported(_cancels), is_same=True, writes=True),
    Scenario(name="transaction(): delete", arrange=planned, act=reported(_deletes), is_same=True, writes=True),
    Scenario(
        name="transaction(): lock and trigger", arrange=planned, act=reported(_triggers), is_same=True, writes=True
    ),
    Scenario(
        name="tx=: start a chain",
        arrange=requested({}),
        act=reported(_starts, begin=of_the_caller),
        is_same=True,
        writes=True,
    ),
    Scenario(
        name="tx=: start chains that wait",
        arrange=beside_blockers,
        act=reported(_starts, begin=of_the_caller),
        is_same=True,
        writes=True,
    ),
    Scenario(name="tx=: cancel", arrange=tied, act=reported(_cancels, begin=of_the_caller), is_same=True, writes=True),
)
