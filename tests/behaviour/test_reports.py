"""Reports follow commits: what is seen of a transaction once its end is known, and whose trace it is seen in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import aiosqlite
import asyncpg
import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace

import otelq
from otelq.model import Transition
from otelq.ports.state import Ending
from otelq.sqlite.owned_transactions import AiosqliteOwnedTransaction
from tests.conftest import StartServer
from tests.stores import PrivateState, seen_as
from tests.telemetry.sdk import Sdk, parent_id, span_context

from .support import AT_ONCE, ONCE, RollBack, count, until

jobs = otelq.Jobs()
user: ContextVar[str | None] = ContextVar("user", default=None)


@jobs.job("echo")
async def echo(attempt: otelq.Attempt[int]) -> int:
    return attempt.input


class Caller:
    """An application with a connection and transactions of its own."""

    def __init__(self, client: otelq.Client, sdk: Sdk, connection: Any) -> None:
        self.client = client
        self.sdk = sdk
        self.connection = connection

    @asynccontextmanager
    async def transaction(self, *, commit: bool = True) -> AsyncGenerator[Any]:
        await self.connection.execute("BEGIN" if self.knows_the_end else "BEGIN IMMEDIATE")
        yield self.connection
        await self.connection.execute("COMMIT" if commit else "ROLLBACK")

    @property
    def knows_the_end(self) -> bool:
        """Whether the driver tells otelq how a transaction ends."""
        return not isinstance(self.connection, aiosqlite.Connection)

    @property
    def sent(self) -> int:
        """How many jobs were counted as created."""
        return self.sdk.total("messaging.client.sent.messages")

    @property
    def seen(self) -> tuple[int, int]:
        """Spans of starts, and jobs counted."""
        return len(self.sdk.named("enqueue echo")), self.sent

    async def settled(self) -> None:
        """Wait until everything is known that can be known: a later start of a committed transaction was told."""
        async with otelq.after_commit(), self.transaction() as tx:
            await self.client.start(mark, None, tx=tx)
        await until(lambda: self.sdk.named("enqueue mark"))


mark = otelq.JobType("mark", input=type(None), output=type(None))


@pytest.fixture
def sdk() -> Iterator[Sdk]:
    """Providers in memory, shut down afterwards."""
    sdk = Sdk()
    yield sdk
    sdk.shutdown()


def connect(target: object, sdk: Sdk) -> otelq.Client:
    return otelq.connect(target, tracer_provider=sdk.tracers, meter_provider=sdk.meters)


@pytest.fixture(params=["asyncpg", "aiosqlite"])
async def caller(
    request: pytest.FixtureRequest, sdk: Sdk, tmp_path: Path, postgres_server: StartServer
) -> AsyncIterator[Caller]:
    """An application on each driver whose transactions otelq joins."""
    if request.param == "aiosqlite":
        async with (
            connect(f"sqlite:///{tmp_path}/otelq.db", sdk) as client,
            aiosqlite.connect(tmp_path / "otelq.db", isolation_level=None) as connection,
        ):
            yield Caller(client, sdk, connection)
        return
    server = postgres_server(18)
    url = server.create_migrated_database()
    own = await asyncpg.connect(url)
    try:
        async with connect(url, sdk) as client:
            yield Caller(client, sdk, own)
    finally:
        await own.close()
        server.drop_database(url)


async def test_a_rolled_back_transaction_leaves_no_row_no_span_and_no_count(caller: Caller) -> None:
    async with otelq.after_commit(), caller.transaction(commit=False) as tx:
        await caller.client.start(echo, 1, tx=tx)
    await caller.settled()
    assert (caller.seen, caller.sent) == ((0, 1), 1)  # the mark alone is counted
    assert not (await caller.client.jobs(type=echo)).items


async def test_a_committed_transaction_leaves_all_three(caller: Caller) -> None:
    async with otelq.after_commit(), caller.transaction() as tx:
        await caller.client.start(echo, 1, tx=tx)
        assert caller.seen == (0, 0)  # nothing before its commit
    await until(lambda: caller.seen == (1, 1))
    assert len((await caller.client.jobs(type=echo)).items) == 1


async def test_effects_follow_a_commit_without_help(caller: Caller) -> None:
    async with caller.transaction() as tx:
        await caller.client.start(echo, 1, tx=tx)
    await until(lambda: caller.seen == (1, 1))


async def test_a_rolled_back_transaction_is_told_to_nobody_without_help(caller: Caller) -> None:
    async with caller.transaction(commit=False) as tx:
        await caller.client.start(echo, 1, tx=tx)
    await caller.settled()
    assert caller.seen == (0, 1)


async def test_a_savepoint_that_rolled_back_takes_its_own_starts_alone(caller: Caller) -> None:
    async with otelq.after_commit(), caller.transaction() as tx:
        await caller.client.start(echo, 1, tx=tx)
        await tx.execute("SAVEPOINT one")
        await caller.client.start(echo, 2, tx=tx)
        await tx.execute("ROLLBACK TO SAVEPOINT one")
        await caller.client.start(echo, 3, tx=tx)
    await until(lambda: caller.seen == (2, 2))
    assert sorted(job.input for job in (await caller.client.jobs(type=echo)).items) == ["1", "3"]


async def test_a_worker_hears_of_a_committed_start_without_polling(caller: Caller) -> None:
    async with otelq.Worker(caller.client, jobs, poll_interval=60):
        async with otelq.after_commit(), caller.transaction() as tx:
            chain = await caller.client.start(echo, 7, tx=tx)
        assert await caller.client.result(chain, timeout=5) == 7


async def test_a_completion_from_outside_that_rolled_back_is_told_to_nobody(caller: Caller) -> None:
    chain = await caller.client.start(echo, 1, delay=3600)
    async with otelq.after_commit(), caller.transaction(commit=False) as tx:
        await caller.client.complete(chain, otelq.Continue(echo, 2), step=echo, tx=tx)
    await caller.settled()
    assert caller.sdk.total("otelq.job.transitions", transition="complete_externally") == 0
    assert caller.seen == (1, 2)


async def test_a_dedup_hit_in_a_transaction_is_counted_when_it_commits(caller: Caller) -> None:
    await caller.client.start(echo, 1, dedup=otelq.Dedup("key"))
    for commit in (False, True):
        async with otelq.after_commit(), caller.transaction(commit=commit) as tx:
            again = await caller.client.start(echo, 2, dedup=otelq.Dedup("key"), tx=tx)
            assert again.deduplicated
    await caller.settled()
    assert caller.sdk.total("otelq.job.deduplicated") == (1 if caller.knows_the_end else 0)
    assert caller.sdk.total("otelq.report.unknown") == (0 if caller.knows_the_end else 2)


async def test_closing_settles_what_is_still_open_to_doubt(caller: Caller) -> None:
    async with caller.transaction() as tx:
        await caller.client.start(echo, 1, tx=tx)
    await caller.client.aclose()
    assert caller.seen == (1, 1)


# The client's own transactions and statements, on every backend


@pytest.fixture(params=["sqlite", "postgres18"])
async def traced(
    request: pytest.FixtureRequest, sdk: Sdk, tmp_path: Path, postgres_server: StartServer
) -> AsyncIterator[otelq.Client]:
    """A client that reports to the test's own providers."""
    server = postgres_server(18) if request.param == "postgres18" else None
    url = server.create_migrated_database() if server else f"sqlite:///{tmp_path}/otelq.db"
    async with connect(url, sdk) as client:
        yield client
    if server:
        server.drop_database(url)


async def test_the_clients_own_transaction_is_told_as_it_ended(traced: otelq.Client, sdk: Sdk) -> None:
    with suppress(RollBack):
        async with traced.transaction() as tx:
            await traced.start(echo, 1, tx=tx)
            raise RollBack
    assert (len(sdk.named("enqueue echo")), await count(traced)) == (0, 0)
    async with traced.transaction() as tx:
        await traced.start(echo, 1, tx=tx)
    assert (len(sdk.named("enqueue echo")), await count(traced)) == (1, 1)


async def test_what_a_failed_attempt_started_in_its_completion_is_told_to_nobody(
    traced: otelq.Client, sdk: Sdk
) -> None:
    writers = otelq.Jobs()

    @writers.job("writer", retry=AT_ONCE)
    async def writer(attempt: otelq.Attempt[None]) -> None:
        await traced.start(echo, attempt.number, tx=await attempt.completion())
        if attempt.number < 3:
            raise ConnectionError

    async with otelq.Worker(traced, writers):
        await traced.result(await traced.start(writer, None), timeout=10)
    assert len(sdk.named("enqueue echo")) == len((await traced.jobs(type=echo)).items) == 1
    assert sdk.total("messaging.client.sent.messages", name="echo") == 1


async def test_concurrent_starts_in_spans_of_their_own_keep_to_them(traced: otelq.Client, sdk: Sdk) -> None:
    taken = await traced.start(echo, 0)
    sdk.exporter.clear()

    async def caller(n: int) -> str:
        with sdk.tracer.start_as_current_span(f"caller {n}"):
            return (await traced.start(echo, n, id=taken.id if n == 7 else None)).id

    found = await asyncio.gather(*(caller(n) for n in range(64)), return_exceptions=True)
    assert isinstance(found[7], otelq.AlreadyExists)
    callers = {span_context(span).span_id: span.name for span in sdk.spans if span.name.startswith("caller")}
    spans = sdk.named("enqueue echo")
    by_chain = {str((span.attributes or {})["otelq.chain.id"]): callers[parent_id(span) or 0] for span in spans}
    assert {by_chain[str(id)] for n, id in enumerate(found) if n != 7} == {f"caller {n}" for n in range(64) if n != 7}
    failed = [span for span in spans if span.status.status_code is trace.StatusCode.ERROR]
    assert [callers[parent_id(span) or 0] for span in failed] == ["caller 7"]
    assert await count(traced) == 64


async def test_every_attempt_runs_in_the_trace_of_its_own_caller(traced: otelq.Client, sdk: Sdk) -> None:
    async with otelq.Worker(traced, jobs):

        async def caller(n: int) -> int:
            with sdk.tracer.start_as_current_span(f"caller {n}"):
                return await traced.result(await traced.start(echo, n), timeout=10)

        assert await asyncio.gather(*(caller(n) for n in range(16))) == list(range(16))
    traces = {span_context(span).trace_id for span in sdk.spans if span.name.startswith("caller")}
    assert len(traces) == 16
    assert {span_context(span).trace_id for span in sdk.named("process echo")} == traces


async def test_counters_have_the_sum_of_all_lives_of_a_client(traced: otelq.Client, sdk: Sdk) -> None:
    await traced.start(echo, 1)
    await traced.aclose()
    async with traced, otelq.Worker(traced, jobs):
        await traced.result(await traced.start(echo, 2), timeout=10)
    assert sdk.total("messaging.client.sent.messages") == 2
    assert (sdk.total("otelq.job.active"), sdk.total("otelq.worker.capacity")) == (0, 0)
    await traced.open()


async def test_the_users_spans_nest_under_the_attempt(traced: otelq.Client, sdk: Sdk) -> None:
    spanning = otelq.Jobs()

    @spanning.job("spanning")
    async def spans(attempt: otelq.Attempt[None]) -> None:
        with sdk.tracer.start_as_current_span("before"):
            tx = await attempt.completion()
        with sdk.tracer.start_as_current_span("inside the completion"):
            await traced.start(echo, 1, tx=tx)

    async with otelq.Worker(traced, spanning):
        await traced.result(await traced.start(spans, None), timeout=10)
    process = span_context(sdk.one("process spanning")).span_id
    assert [parent_id(sdk.one(name)) for name in ("before", "inside the completion")] == [process] * 2
    assert parent_id(sdk.one("enqueue echo")) == span_context(sdk.one("inside the completion")).span_id


async def test_nothing_of_one_callers_context_reaches_another_or_a_handler(traced: otelq.Client) -> None:
    asking, seen = otelq.Jobs(), list[str | None]()

    @asking.job("asks")
    async def asks(attempt: otelq.Attempt[int]) -> None:
        seen.append(user.get())
        user.set(f"handler {attempt.input}")

    async def caller(name: str) -> str | None:
        user.set(name)
        await traced.result(await traced.start(asks, 1), timeout=10)
        return user.get()

    user.set("who made the worker")
    async with otelq.Worker(traced, asking):
        assert [await caller("ada"), *await asyncio.gather(caller("eve"), caller("bob"))] == ["ada", "eve", "bob"]
    assert seen == [None] * 3


async def test_a_job_that_was_cancelled_is_no_error_of_its_attempt(traced: otelq.Client, sdk: Sdk) -> None:
    patient, began = otelq.Jobs(), asyncio.Event()

    @patient.job("patient")
    async def waits(attempt: otelq.Attempt[None]) -> None:
        began.set()
        await asyncio.Event().wait()

    async with otelq.Worker(traced, patient):
        chain = await traced.start(waits, None)
        await began.wait()
        await traced.cancel(chain)
        await until(lambda: sdk.named("process patient"))
    assert sdk.one("process patient").status.status_code is trace.StatusCode.UNSET
    assert sdk.total("otelq.lease.lost") == 0


async def test_a_continuation_that_was_not_stored_has_no_span(traced: otelq.Client, sdk: Sdk) -> None:
    bad = otelq.Jobs()

    @bad.job("bad", retry=ONCE)
    async def continues(attempt: otelq.Attempt[None]) -> otelq.Continue[int]:
        tx = await attempt.completion()
        await traced.complete(otelq.Chain(attempt.chain_id, continues), 5, step=continues, tx=tx)
        return attempt.continue_with(echo, 1)  # which comes too late

    async with otelq.Worker(traced, bad):
        assert await traced.result(await traced.start(continues, None)) == 5
        await until(lambda: sdk.named("process bad"))
    assert sdk.named("enqueue echo") == []


# otelq's own SQL is silent


class Listening(PrivateState):
    """A store that notes, for every verb, whether an instrumented driver would have made a span."""

    def __init__(self) -> None:
        super().__init__()
        self.loud = set[str]()
        self.silent = set[str]()

    def __getattribute__(self, name: str) -> Any:
        verb = super().__getattribute__(name)

        def noted(*given: Any, **call: Any) -> Any:
            is_silent = bool(otel_context.get_value("suppress_instrumentation"))
            (self.silent if is_silent else self.loud).add(name)
            return verb(*given, **call)

        return noted if name in _VERBS else verb


_VERBS = {
    *(
        "open",
        "close",
        "were_committed",
        "create",
        "complete_externally",
        "trigger",
        "cancel",
        "delete",
        "claim",
        "renew",
        "settle",
        "reap",
    ),
    *("unblock_pending", "next_due", "next_maintenance", "outcomes", "blocker_outputs", "jobs", "chains", "attempts"),
    *("beat", "remove_workers", "workers"),
}


async def test_all_of_otelqs_own_statements_are_silent(sdk: Sdk) -> None:
    state = Listening()
    async with connect(state, sdk) as client:
        with sdk.tracer.start_as_current_span("the application"):
            first = await client.start(echo, 1, delay=3600)
            second, third = await client.start_many(echo, [2, 3])
            waiting = await client.start(echo, 4, blockers=[third])
            await client.complete(first, otelq.Continue(echo, 1), step=echo)
            async with otelq.Worker(client, jobs), otelq.Worker(client, jobs, reap_interval=60):
                await client.result(waiting, timeout=10)
                await until(lambda: state.silent >= {"reap", "next_maintenance", "beat"})
            await client.attempts(f"{second.id}.0")
            await client.job(f"{second.id}.0")
            await client.workers()
            for call in (client.trigger, client.cancel):
                await call(await client.start(echo, 5, delay=3600))
            await client.delete(waiting)
    assert state.loud == set()
    assert state.silent >= _VERBS - {"were_committed", "renew"}


# Where the driver does not tell the end of a transaction


class Untold(AiosqliteOwnedTransaction):
    """A transaction whose end nobody tells."""

    def watch(self, ended: Callable[[Ending], None]) -> bool:
        return False


class Silent(PrivateState):
    """A store that joins transactions without learning of their end; ``asked`` is set when ids are looked up."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.answer = asyncio.Event()

    def join(self, tx: object) -> Untold:
        return seen_as(Untold, super().join(tx))

    async def were_committed(self, transitions: Sequence[Transition]) -> Sequence[bool | None]:
        found = await super().were_committed(transitions)
        self.asked.set()
        await self.answer.wait()
        return found


async def test_a_commit_while_the_ids_are_looked_up_is_not_taken_for_a_rollback(sdk: Sdk) -> None:
    state = Silent()

    async def looks_too_early(tx: object) -> None:
        async with otelq.after_commit():
            await client.start(echo, 1, tx=tx)

    async with connect(state, sdk) as client:
        async with client.transaction() as tx:
            early = asyncio.create_task(looks_too_early(tx))
            await state.asked.wait()
        state.answer.set()
        await early
        await until(lambda: sdk.named("enqueue echo"))
    assert sdk.total("messaging.client.sent.messages") == 1
