"""Middleware: round attempts and their transactions, in what order, and what it may decide."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import otelq
from otelq.testing import attempt as make_attempt

from . import process_work
from .support import AT_ONCE, ONCE, RollBack, ended


class Notes(otelq.Middleware):
    """Writes down what it sees."""

    def __init__(self, name: str, seen: list[str]) -> None:
        self.name = name
        self.seen = seen

    async def attempt(self, attempt: otelq.Attempt[Any], call: Any) -> Any:
        self.seen.append(f"{self.name}: {attempt.input}")
        try:
            result = await call(attempt)
        except BaseException as error:
            self.seen.append(f"{self.name} raised {type(error).__name__}: {error}")
            raise
        self.seen.append(f"{self.name} gave {result.input if isinstance(result, otelq.Continue) else result}")
        return result

    @asynccontextmanager
    async def transaction(self, attempt: otelq.Attempt[Any], tx: Any) -> AsyncGenerator[None]:
        self.seen.append(f"{self.name} begins")
        try:
            yield
        except BaseException as error:
            self.seen.append(f"{self.name} rolls back: {error}")
            raise
        self.seen.append(f"{self.name} commits")


async def other_outputs(client: otelq.Client) -> list[str]:
    return sorted([job.input or "" for job in (await client.jobs(type="other")).items])


other = otelq.JobType("other", input=int, output=int)


# Round attempts


async def test_the_workers_middleware_stands_outside_that_of_the_slice_in_the_order_given(
    client: otelq.Client,
) -> None:
    seen = list[str]()
    jobs, apart = otelq.Jobs(middleware=[Notes("c", seen), Notes("d", seen)]), otelq.Jobs()

    @jobs.job("doubles")
    async def doubles(attempt: otelq.Attempt[int]) -> int:
        return attempt.input * 2

    @apart.job("apart")
    async def in_another_slice(attempt: otelq.Attempt[int]) -> int:
        return attempt.input

    async with otelq.Worker(client, jobs, apart, middleware=[Notes("a", seen), Notes("b", seen)]):
        await client.result(await client.start(doubles, 4), timeout=10)
        assert seen == ["a: 4", "b: 4", "c: 4", "d: 4", "d gave 8", "c gave 8", "b gave 8", "a gave 8"]
        seen.clear()
        await client.result(await client.start(in_another_slice, 1), timeout=10)
        assert seen == ["a: 1", "b: 1", "b gave 1", "a gave 1"]


async def test_middleware_stands_round_handlers_in_threads_and_processes_alike(memory: otelq.Client) -> None:
    seen, jobs = list[str](), otelq.Jobs()

    @jobs.job("threaded")
    def threaded(attempt: otelq.Attempt[int]) -> int:
        return attempt.input * 2

    async with otelq.Worker(memory, jobs, process_work.jobs, middleware=[Notes("a", seen)]):
        await memory.result(await memory.start(threaded, 4), timeout=10)
        await memory.result(await memory.start(process_work.continues, 4), timeout=30)
        await ended(memory, await memory.start(process_work.lies, None))
    whole, last = process_work.Range(0, 4), seen.pop()
    assert seen == ["a: 4", "a gave 8", "a: 4", f"a gave {whole}", f"a: {whole}", "a gave 6", "a: None"]
    assert last.startswith("a raised ProcessFailed: otelq.errors.InvalidArgument: return value")


async def test_middleware_sees_every_exception_and_decision_of_the_handler(client: otelq.Client) -> None:
    seen = list[str]()
    jobs = otelq.Jobs(middleware=[Notes("a", seen)])

    @jobs.job("fails", retry=AT_ONCE)
    async def fails(attempt: otelq.Attempt[None]) -> None:
        if attempt.number == 1:
            raise ValueError("first")
        raise otelq.Fail("second")

    async with otelq.Worker(client, jobs):
        await ended(client, await client.start(fails, None))
    assert seen == ["a: None", "a raised ValueError: first", "a: None", "a raised Fail: second"]


async def test_middleware_may_replace_the_output_and_turn_an_exception_into_one(client: otelq.Client) -> None:
    class Replaces(otelq.Middleware):
        async def attempt(self, attempt: otelq.Attempt[Any], call: Any) -> Any:
            try:
                return await call(attempt) + 100
            except ValueError:
                return -1

    jobs = otelq.Jobs(middleware=[Replaces()])

    @jobs.job("halves")
    async def halves(attempt: otelq.Attempt[int]) -> int:
        if attempt.input % 2:
            raise ValueError("odd")
        return attempt.input // 2

    async with otelq.Worker(client, jobs):
        assert await client.result(await client.start(halves, 8), timeout=10) == 104
        assert await client.result(await client.start(halves, 7), timeout=10) == -1


async def test_middleware_that_raises_before_the_handler_is_a_failed_attempt_with_back_off(
    client: otelq.Client,
) -> None:
    class Refuses(otelq.Middleware):
        async def attempt(self, attempt: otelq.Attempt[Any], call: Any) -> Any:
            if attempt.number < 3:
                raise PermissionError(f"attempt {attempt.number} may not")
            return await call(attempt)

    jobs, ran = otelq.Jobs(middleware=[Refuses()]), list[int]()

    @jobs.job("permitted", retry=otelq.RetryPolicy(initial=0.02, factor=1, jitter=0))
    async def permitted(attempt: otelq.Attempt[None]) -> None:
        ran.append(attempt.number)

    async with otelq.Worker(client, jobs):
        chain = await client.start(permitted, None)
        await client.result(chain, timeout=10)
    attempts = await client.attempts(f"{chain.id}.0")
    assert ran == [3]
    assert [(a.number, a.verb) for a in attempts] == [(1, "retry"), (2, "retry"), (3, "complete")]
    assert attempts[0].failure is not None
    assert attempts[0].failure.type == "PermissionError"
    begun = [attempt.started_at for attempt in attempts if attempt.started_at is not None]
    assert all((begun[n + 1] - attempts[n].ended_at).total_seconds() >= 0.019 for n in range(2))


async def test_an_exception_of_middleware_after_the_handler_undoes_its_completion(client: otelq.Client) -> None:
    class ChangesItsMind(otelq.Middleware):
        async def attempt(self, attempt: otelq.Attempt[Any], call: Any) -> Any:
            await call(attempt)
            raise otelq.Fail("on reflection, no")

    jobs = otelq.Jobs(middleware=[ChangesItsMind()])

    @jobs.job("writes")
    async def writes(attempt: otelq.Attempt[None]) -> None:
        await attempt.client.start(other, 1, tx=await attempt.completion())

    async with otelq.Worker(client, jobs):
        job = await ended(client, await client.start(writes, None))
    assert (job.status, await other_outputs(client)) == ("failed", [])


async def test_what_a_handler_that_raised_wrote_is_gone_though_middleware_makes_the_attempt_good(
    client: otelq.Client,
) -> None:
    class MakesGood(otelq.Middleware):
        async def attempt(self, attempt: otelq.Attempt[Any], call: Any) -> Any:
            try:
                return await call(attempt)
            except ValueError:
                return "never mind"

    jobs = otelq.Jobs(middleware=[MakesGood()])

    @jobs.job("writes")
    async def writes(attempt: otelq.Attempt[None]) -> str:
        await attempt.client.start(other, 1, tx=await attempt.completion())
        raise ValueError("half done")

    async with otelq.Worker(client, jobs):
        given = await client.result(await client.start(writes, None), timeout=10)
    assert (given, await other_outputs(client)) == ("never mind", [])


# What it provides


class Tenant:
    def __init__(self, name: str) -> None:
        self.name = name


class BigTenant(Tenant):
    """A kind of it."""


async def test_what_middleware_provides_is_there_for_its_attempt_only(memory: otelq.Client) -> None:
    class Provides(otelq.Middleware):
        async def attempt(self, attempt: otelq.Attempt[Any], call: Any) -> Any:
            if attempt.input:
                attempt.provide(BigTenant(attempt.input), as_=Tenant)
            return await call(attempt)

    jobs = otelq.Jobs(middleware=[Provides()])

    @jobs.job("asks")
    async def asks(attempt: otelq.Attempt[str]) -> str:
        return f"{attempt.get(Tenant).name}, {attempt.get(int)}"

    @jobs.job("asks-in-a-thread")
    def asks_in_a_thread(attempt: otelq.Attempt[str]) -> str:
        return attempt.get(Tenant).name

    async with otelq.Worker(memory, jobs, provide=[Tenant("nobody"), 5]):
        for name, expected in (("acme", "acme, 5"), ("", "nobody, 5"), ("umbrella", "umbrella, 5")):
            assert await memory.result(await memory.start(asks, name), timeout=10) == expected
        assert await memory.result(await memory.start(asks_in_a_thread, "acme"), timeout=10) == "acme"


async def test_a_thing_is_provided_only_under_a_type_that_it_has() -> None:
    given = make_attempt(None)
    with pytest.raises(otelq.InvalidArgument, match="is a str, which is no Tenant"):
        given.provide("acme", as_=Tenant)
    with pytest.raises(otelq.InvalidArgument, match="as_"):
        given.provide("acme", as_="Tenant")  # type: ignore[arg-type]
    given.provide("acme")
    assert given.get(str) == "acme"


# Round transactions


async def test_middleware_stands_round_each_transaction_and_the_completion(client: otelq.Client) -> None:
    seen = list[str]()
    jobs = otelq.Jobs(middleware=[Notes("b", seen)])

    @jobs.job("writes", retry=ONCE)
    async def writes(attempt: otelq.Attempt[str]) -> str:
        async with attempt.transaction() as tx:
            await attempt.client.start(other, 1, tx=tx)
        try:
            async with attempt.transaction() as tx:
                await attempt.client.start(other, 2, tx=tx)
                raise RollBack("half-way")
        except RollBack:
            seen.append("rolled back")
        tx = await attempt.completion()
        await attempt.client.start(other, 3, tx=tx)
        if attempt.input == "fails":
            raise ValueError("afterwards")
        return "done"

    async with otelq.Worker(client, jobs, middleware=[Notes("a", seen)]):
        await client.result(await client.start(writes, "works"), timeout=10)
        both = ["a begins", "b begins", "b commits", "a commits"]
        undone = ["a begins", "b begins", "b rolls back: half-way", "a rolls back: half-way", "rolled back"]
        begun = ["a begins", "b begins"]
        ends = ["b gave done", "a gave done", "b commits", "a commits"]
        assert seen == ["a: works", "b: works", *both, *undone, *begun, *ends]
        assert await other_outputs(client) == ["1", "3"]
        seen.clear()
        await ended(client, await client.start(writes, "fails"))
        ends = ["b rolls back: afterwards", "a rolls back: afterwards"]
        ends += ["b raised ValueError: afterwards", "a raised ValueError: afterwards"]
        assert seen == ["a: fails", "b: fails", *both, *undone, *begun, *ends]
    assert await other_outputs(client) == ["1", "1", "3"]


async def test_what_middleware_writes_in_a_transaction_is_part_of_it(client: otelq.Client) -> None:
    class Writes(otelq.Middleware):
        @asynccontextmanager
        async def transaction(self, attempt: otelq.Attempt[Any], tx: Any) -> AsyncGenerator[None]:
            await attempt.client.start(other, 1, tx=tx)
            yield
            await attempt.client.start(other, 2, tx=tx)

    jobs = otelq.Jobs(middleware=[Writes()])

    @jobs.job("completes", retry=AT_ONCE)
    async def completes(attempt: otelq.Attempt[None]) -> None:
        await attempt.completion()
        if attempt.number < 3:
            raise ValueError("not yet")

    async with otelq.Worker(client, jobs):
        await client.result(await client.start(completes, None), timeout=10)
    assert await other_outputs(client) == ["1", "2"]


async def test_middleware_that_cannot_finish_a_transaction_rolls_it_back(client: otelq.Client) -> None:
    class Vetoes(otelq.Middleware):
        @asynccontextmanager
        async def transaction(self, attempt: otelq.Attempt[Any], tx: Any) -> AsyncGenerator[None]:
            yield
            raise PermissionError("not in this way")

    jobs, caught = otelq.Jobs(middleware=[Vetoes()]), list[str]()

    @jobs.job("writes", retry=AT_ONCE)
    async def writes(attempt: otelq.Attempt[None]) -> None:
        try:
            async with attempt.transaction() as tx:
                await attempt.client.start(other, 1, tx=tx)
        except PermissionError as error:
            caught.append(str(error))
        await attempt.client.start(other, 2, tx=await attempt.completion())

    async with otelq.Worker(client, jobs):
        job = await ended(client, await client.start(writes, None))
    assert caught == ["not in this way"] * 3
    assert (job.status, job.attempt, await other_outputs(client)) == ("failed", 3, [])


async def test_middleware_leaves_a_completion_that_came_too_late(memory: otelq.Client) -> None:
    seen, entering, ended_by_now = list[str](), asyncio.Event(), asyncio.Event()

    class Slow(otelq.Middleware):
        @asynccontextmanager
        async def transaction(self, attempt: otelq.Attempt[Any], tx: Any) -> AsyncGenerator[None]:
            entering.set()
            await ended_by_now.wait()
            yield

    jobs = otelq.Jobs(middleware=[Notes("notes", seen), Slow()])
    late = list[asyncio.Task[Any]]()

    @jobs.job("leaves-a-task")
    async def leaves_a_task(attempt: otelq.Attempt[None]) -> None:
        late.append(asyncio.create_task(attempt.completion()))
        await entering.wait()
        asyncio.get_running_loop().call_soon(ended_by_now.set)

    async with otelq.Worker(memory, jobs):
        await memory.result(await memory.start(leaves_a_task, None), timeout=10)
        with pytest.raises(otelq.InvalidArgument, match="has ended"):
            await late[0]
    assert seen[-1] == "notes rolls back: attempt: has ended; open transactions before the handler returns"


async def test_middleware_cannot_make_a_rolled_back_transaction_good(client: otelq.Client) -> None:
    class Swallows(otelq.Middleware):
        @asynccontextmanager
        async def transaction(self, attempt: otelq.Attempt[Any], tx: Any) -> AsyncGenerator[None]:
            try:
                yield
            except BaseException:
                return

    jobs, caught = otelq.Jobs(middleware=[Swallows()]), list[str]()

    @jobs.job("writes", retry=ONCE)
    async def writes(attempt: otelq.Attempt[None]) -> None:
        try:
            async with attempt.transaction() as tx:
                await attempt.client.start(other, 1, tx=tx)
                raise RollBack("half-way")
        except RollBack as error:
            caught.append(str(error))
        await attempt.client.start(other, 2, tx=await attempt.completion())
        raise ValueError("afterwards")

    async with otelq.Worker(client, jobs):
        job = await ended(client, await client.start(writes, None))
    assert (job.status, caught, await other_outputs(client)) == ("failed", ["half-way"], [])


async def test_middleware_that_fails_while_a_completion_is_rolled_back_changes_nothing(client: otelq.Client) -> None:
    class Breaks(otelq.Middleware):
        @asynccontextmanager
        async def transaction(self, attempt: otelq.Attempt[Any], tx: Any) -> AsyncGenerator[None]:
            try:
                yield
            finally:
                raise KeyError("in the middleware")

    jobs = otelq.Jobs(middleware=[Breaks()])

    @jobs.job("writes", retry=ONCE)
    async def writes(attempt: otelq.Attempt[None]) -> None:
        await attempt.client.start(other, 1, tx=await attempt.completion())
        raise ValueError("in the handler")

    async with otelq.Worker(client, jobs):
        job = await ended(client, await client.start(writes, None))
        await client.start(other, 2)  # nobody holds a lock
    assert job.failure is not None
    assert (job.failure.type, await other_outputs(client)) == ("ValueError", ["2"])


# What a worker requires


@pytest.mark.parametrize("given, fits", [("ab", True), ("xaxbx", True), ("ba", False), ("a", False), ("", False)])
def test_a_slice_needs_the_required_middleware_in_its_order(given: str, fits: bool) -> None:
    known = {name: Notes(name, []) for name in "abx"}
    complete = otelq.Jobs(middleware=[known["a"], known["b"]])
    jobs = otelq.Jobs(middleware=[known[name] for name in given])
    complete.job("complete")(handler)
    jobs.job("first-type")(handler)
    jobs.job("second-type")(handler)
    client = otelq.connect("memory://")
    if fits:
        otelq.Worker(client, complete, jobs, require_middleware=[known["a"], known["b"]])
        return
    missing = {"ba": 2, "a": 2, "": 1}[given]
    words = rf"collection 2, with 'first-type', 'second-type', lacks required middleware {missing} of 2, <.*Notes"
    with pytest.raises(otelq.InvalidArgument, match=words):
        otelq.Worker(client, complete, jobs, require_middleware=[known["a"], known["b"]])


def test_another_instance_of_the_required_middleware_will_not_do() -> None:
    jobs = otelq.Jobs(middleware=[Notes("a", [])])
    jobs.job("type")(handler)
    with pytest.raises(otelq.InvalidArgument, match="require_middleware"):
        otelq.Worker(otelq.connect("memory://"), jobs, require_middleware=[Notes("a", [])])


@pytest.mark.parametrize("wrong", [5, [Notes], [None], Notes("a", [])])
def test_what_is_no_middleware_is_refused(wrong: Any) -> None:
    with pytest.raises(otelq.InvalidArgument, match="middleware"):
        otelq.Jobs(middleware=wrong)
    jobs = otelq.Jobs()
    jobs.job("type")(handler)
    for option in ("middleware", "require_middleware"):
        with pytest.raises(otelq.InvalidArgument, match=option):
            otelq.Worker(otelq.connect("memory://"), jobs, **{option: wrong})


async def handler(attempt: otelq.Attempt[None]) -> None: ...
