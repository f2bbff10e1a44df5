"""The client's life: where it may be used, opening and closing, and what it shares with other callers."""

from __future__ import annotations

import asyncio
import os
import signal
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import otelq

from .support import Away, Deaf

jobs = otelq.Jobs()


@jobs.job("echo")
async def echo(attempt: otelq.Attempt[int]) -> int:
    return attempt.input


MISSING = "0198c0de-0000-7000-8000-000000000000"
CALLS: dict[str, Callable[[otelq.Client], Awaitable[object]]] = {
    "start": lambda client: client.start(echo, 1),
    "start_many": lambda client: client.start_many(echo, [1]),
    "complete": lambda client: client.complete(otelq.Chain(MISSING, echo), 1, step=echo),
    "trigger": lambda client: client.trigger(MISSING),
    "copy": lambda client: client.copy(otelq.Chain(MISSING, echo)),
    "amend": lambda client: client.amend(MISSING, priority=1),
    "redrive": lambda client: client.redrive(MISSING),
    "take_over": lambda client: client.take_over(MISSING),
    "lock": lambda client: client.lock(MISSING, tx="BEGIN"),
    "cancel": lambda client: client.cancel(MISSING),
    "delete": lambda client: client.delete(MISSING),
    "result": lambda client: client.result(otelq.Chain(MISSING, echo)),
    "chain": lambda client: client.chain(MISSING),
    "job": lambda client: client.job(f"{MISSING}.0"),
    "jobs": lambda client: client.jobs(),
    "jobs by ids": lambda client: client.jobs(ids=[f"{MISSING}.0"]),
    "iterate_jobs": lambda client: anext(client.iterate_jobs()),
    "chain_jobs": lambda client: client.chain_jobs(MISSING),
    "chains": lambda client: client.chains(),
    "iterate_chains": lambda client: anext(client.iterate_chains()),
    "count": lambda client: client.count(),
    "blockers": lambda client: client.blockers(f"{MISSING}.0"),
    "explain": lambda client: client.explain(MISSING),
    "attempts": lambda client: client.attempts(f"{MISSING}.0"),
    "transaction": lambda client: client.transaction().__aenter__(),
    "worker": lambda client: otelq.Worker(client, jobs).__aenter__(),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_a_client_that_is_not_open_raises(call: Callable[[otelq.Client], Awaitable[object]]) -> None:
    with pytest.raises(otelq.WrongLoop, match="not open"):
        await call(otelq.connect("memory://"))


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_a_client_in_another_event_loop_raises(
    memory: otelq.Client, call: Callable[[otelq.Client], Awaitable[object]]
) -> None:
    async def elsewhere() -> None:
        with pytest.raises(otelq.WrongLoop, match="another event loop"):
            await call(memory)

    await asyncio.to_thread(lambda: asyncio.run(elsewhere()))


async def test_opening_and_closing_in_another_event_loop_raises(memory: otelq.Client) -> None:
    for call in (memory.open, memory.aclose):
        with pytest.raises(otelq.WrongLoop):
            await asyncio.to_thread(lambda given=call: asyncio.run(given()))  # type: ignore[misc]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
async def test_a_client_after_a_fork_raises(memory: otelq.Client) -> None:
    child = os.fork()
    if child == 0:  # the child has the parent's running loop in its hands and must not touch it
        code = 1
        try:
            CALLS["start"](memory).__await__().send(None)
        except otelq.WrongLoop as error:
            code = 0 if "fork" in str(error) else 2
        except BaseException:
            traceback.print_exc()
        finally:
            os.kill(os.getpid(), signal.SIGKILL) if code else os._exit(0)
    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    assert status == 0


async def test_closing_twice_and_opening_twice_is_fine(client: otelq.Client) -> None:
    assert await client.open() is client
    await client.start(echo, 1)
    await client.aclose()
    await client.aclose()


async def test_a_client_that_is_opened_twice_at_once_connects_once(monkeypatch: pytest.MonkeyPatch) -> None:
    state, opened = Away(), list[bool]()
    open_state = state.open

    async def opens_slowly(*, migrate: bool = True) -> None:
        opened.append(migrate)
        await asyncio.sleep(0)
        await open_state(migrate=migrate)

    monkeypatch.setattr(state, "open", opens_slowly)
    client = otelq.connect(state)
    await asyncio.gather(client.open(), client.open())
    await client.aclose()
    assert opened == [True]


async def test_a_client_can_be_opened_used_closed_and_opened_again(client: otelq.Client) -> None:
    chain = await client.start(echo, 5)
    await client.aclose()
    async with client, otelq.Worker(client, jobs):
        assert await client.result(chain, timeout=10) == 5
        assert await client.result(await client.start(echo, 6), timeout=10) == 6


def test_a_client_can_be_opened_again_in_another_event_loop() -> None:
    client = otelq.connect("memory://")

    async def use(n: int) -> int:
        async with client, otelq.Worker(client, jobs):
            return await client.result(await client.start(echo, n), timeout=10)

    assert [asyncio.run(use(n)) for n in range(2)] == [0, 1]


async def test_everything_is_let_go_though_one_part_does_not_close() -> None:
    class Stubborn(Deaf):
        async def close(self) -> None:
            raise RuntimeError("stuck")

    state = Away()
    client = await otelq.connect(state, notify=Stubborn()).open()
    with pytest.raises(RuntimeError, match="stuck"):
        await client.aclose()
    assert state.asked["close"] == 1


async def test_a_notifier_that_does_not_open_leaves_nothing_open() -> None:
    class Broken(Deaf):
        async def open(self) -> None:
            raise otelq.Unavailable("no notifier")

    state = Away()
    with pytest.raises(otelq.Unavailable):
        await otelq.connect(state, notify=Broken()).open()
    assert state.asked["close"] == 1


# Concurrent starts share a statement


async def test_concurrent_starts_share_statements_and_each_gets_its_own_chain() -> None:
    state = Away()
    async with otelq.connect(state) as client:
        chains = await asyncio.gather(*(client.start(echo, n) for n in range(64)))
        inputs = [int((await client.chain(chain)).head.input) for chain in chains]
    assert inputs == list(range(64))
    assert state.asked["create"] < 5


async def test_one_callers_taken_id_touches_no_other(client: otelq.Client) -> None:
    taken = await client.start(echo, 0)
    starts = [client.start(echo, n, id=taken.id if n == 7 else None) for n in range(64)]
    ended = await asyncio.gather(*starts, return_exceptions=True)
    assert [type(found) for n, found in enumerate(ended) if n != 7] == [otelq.Chain] * 63
    assert isinstance(ended[7], otelq.AlreadyExists)


async def test_one_callers_cancelled_start_touches_no_other(client: otelq.Client) -> None:
    tasks = [asyncio.create_task(client.start(echo, n)) for n in range(8)]
    await asyncio.sleep(0)
    tasks[3].cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(found) for n, found in enumerate(ended) if n != 3] == [otelq.Chain] * 7
    assert isinstance(ended[3], asyncio.CancelledError)


async def test_a_start_is_repeated_when_its_reply_is_lost_and_makes_one_chain() -> None:
    state = Away()
    create, replies = state.create, list[int]()

    async def loses_the_first_reply(*given: Any, **call: Any) -> Any:
        made = await create(*given, **call)
        replies.append(len(made[0]))
        if len(replies) == 1:
            raise otelq.Unavailable("the reply was lost")
        return made

    state.create = loses_the_first_reply  # type: ignore[method-assign]
    async with otelq.connect(state) as client:
        chain = await client.start(echo, 1)
        assert [job.chain_id for job in (await client.jobs()).items] == [chain.id]
    assert replies == [1, 1]


class Odd(Exception):
    """An exception that cannot be copied, as drivers have them."""

    def __init__(self, *, code: int) -> None:
        super().__init__(f"code {code}")


async def test_every_caller_learns_of_an_error_that_cannot_be_copied() -> None:
    state = Away()
    state.error = lambda: Odd(code=7)
    async with otelq.connect(state) as client:
        state.away.add("create")
        ended = await asyncio.gather(*(client.start(echo, n) for n in range(3)), return_exceptions=True)
    assert [type(error) for error in ended] == [Odd] * 3
