"""What a start says of its chain: tags, headers, tenant and request id, and what stands round starts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

import otelq
from otelq.telemetry import request_id

from .support import count

jobs = otelq.Jobs()
SAID: dict[str, Any] = {
    "tags": {"shop": "north"},
    "headers": {"x-trace": "äöü"},
    "tenant": "acme",
    "request_id": "r-7",
}


@jobs.job("first")
async def first(attempt: otelq.Attempt[int]) -> otelq.Continue[dict[str, Any]]:
    return attempt.continue_with(second, attempt.input)


@jobs.job("second")
async def second(attempt: otelq.Attempt[int]) -> dict[str, Any]:
    return {
        "tags": attempt.tags,
        "headers": attempt.headers,
        "tenant": attempt.tenant,
        "request_id": attempt.request_id,
    }


async def test_all_that_a_start_says_reaches_every_job_of_the_chain(client: otelq.Client) -> None:
    async with otelq.Worker(client, jobs):
        chain = await client.start(first, 1, **SAID)
        assert await client.result(chain, timeout=10) == SAID
    for job in (await client.chain_jobs(chain)).items:
        assert {"tags": job.tags, "headers": job.headers, "tenant": job.tenant, "request_id": job.request_id} == SAID


async def test_a_continuation_from_outside_inherits_what_the_start_said(client: otelq.Client) -> None:
    chain = await client.start(first, 1, delay=3600, **SAID)
    await client.complete(chain, otelq.Continue(second, 1), step=first)
    async with otelq.Worker(client, jobs):
        assert await client.result(chain, timeout=10) == SAID


async def test_a_start_that_says_nothing_has_nothing_to_tell(client: otelq.Client) -> None:
    async with otelq.Worker(client, jobs):
        said = await client.result(await client.start(first, 1), timeout=10)
    assert said == {"tags": {}, "headers": {}, "tenant": None, "request_id": None}


async def test_starts_of_a_batch_say_each_their_own(client: otelq.Client) -> None:
    chains = await client.start_many([otelq.Start(first, 1, tenant="a"), otelq.Start(first, 2, headers={"h": "b"})])
    heads = [(await client.chain(chain)).head for chain in chains]
    assert [(head.tenant, head.headers) for head in heads] == [("a", {}), (None, {"h": "b"})]


async def test_as_much_as_is_allowed_is_stored(client: otelq.Client) -> None:
    pairs = {f"{n:512}": "é" * 512 for n in range(32)}
    chain = await client.start(first, 1, tags=pairs, headers=pairs, tenant="t" * 200, request_id="r" * 200)
    head = (await client.chain(chain)).head
    assert (head.tags, head.headers, head.tenant) == (pairs, pairs, "t" * 200)


# Middleware round starts

Call = Callable[[Sequence[otelq.Start[Any]]], Awaitable[list[otelq.Chain[Any]]]]


class Seen(otelq.Middleware):
    """Writes down what passes."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.log = name, log

    async def start(self, starts: Sequence[otelq.Start[Any]], call: Call) -> list[otelq.Chain[Any]]:
        self.log.append(f"{self.name} before {len(starts)}")
        chains = await call(starts)
        self.log.append(f"{self.name} after {len(chains)}")
        return chains


class Stamp(otelq.Middleware):
    """Gives every start a tenant."""

    async def start(self, starts: Sequence[otelq.Start[Any]], call: Call) -> list[otelq.Chain[Any]]:
        return await call([start.with_meta(tags={"stamp": "yes"}, tenant="stamped") for start in starts])


class Broken(otelq.Middleware):
    """Gives what it is told to give."""

    def __init__(self, starts: Any = None, chains: Any = None) -> None:
        self.starts, self.chains = starts, chains

    async def start(self, starts: Sequence[otelq.Start[Any]], call: Call) -> list[otelq.Chain[Any]]:
        chains = await call(starts if self.starts is None else self.starts)
        return self.chains if self.chains is not None else chains


async def test_the_first_middleware_is_the_outermost_round_every_kind_of_start() -> None:
    log = list[str]()
    async with otelq.connect("memory://", middleware=[Seen("outer", log), Seen("inner", log)]) as client:
        chain = await client.start(first, 1)
        assert log == ["outer before 1", "inner before 1", "inner after 1", "outer after 1"]
        log.clear()
        await client.start_many(first, [1, 2, 3])
        assert (log[0], log[-1]) == ("outer before 3", "outer after 3")
        log.clear()
        await client.copy(chain)
        assert len(log) == 4


async def test_middleware_adds_to_what_a_start_says() -> None:
    async with otelq.connect("memory://", middleware=[Stamp()]) as client:
        chain = await client.start(first, 1, tags={"own": "kept"}, tenant="own", request_id="r-1")
        head = (await client.chain(chain)).head
    assert (head.tags, head.tenant, head.request_id) == ({"own": "kept", "stamp": "yes"}, "stamped", "r-1")


@pytest.mark.parametrize("queue", ["", "a\0b", 5])
def test_a_queue_that_cannot_be_stored_is_refused_when_a_start_is_put_there(queue: Any) -> None:
    with pytest.raises(otelq.InvalidArgument) as error:
        otelq.Start(first, 1).in_queue(queue)
    assert error.value.argument == "queue"


async def test_an_error_of_middleware_starts_nothing_and_reaches_the_caller(memory: otelq.Client) -> None:
    class Refuses(otelq.Middleware):
        async def start(self, starts: Sequence[otelq.Start[Any]], call: Call) -> list[otelq.Chain[Any]]:
            raise PermissionError("not on Sundays")

    async with otelq.connect(memory.engine.state, middleware=[Refuses()]) as client:
        with pytest.raises(PermissionError, match="Sundays"):
            await client.start(first, 1)
        assert await count(client) == 0


@pytest.mark.parametrize(
    "broken, argument",
    [
        (Broken(starts=[]), "middleware"),
        (Broken(starts=["first"]), "starts"),
        (Broken(chains=[]), "middleware"),
        (Broken(chains=0), "middleware"),
    ],
)
async def test_middleware_that_loses_a_start_or_a_chain_is_refused(broken: Broken, argument: str) -> None:
    async with otelq.connect("memory://", middleware=[broken]) as client:
        with pytest.raises(otelq.InvalidArgument) as error:
            await client.start(first, 1)
    assert error.value.argument == argument


async def test_middleware_that_fails_after_the_start_takes_it_back_with_the_transaction() -> None:
    class Strict(otelq.Middleware):
        async def start(self, starts: Sequence[otelq.Start[Any]], call: Call) -> list[otelq.Chain[Any]]:
            await call(starts)
            raise PermissionError("too late")

    async with otelq.connect("memory://", middleware=[Strict()]) as client:
        with pytest.raises(PermissionError):
            async with client.transaction() as tx:
                await client.start(first, 1, tx=tx)
        assert await count(client) == 0


async def test_a_chain_is_of_the_request_in_whose_context_it_was_started(memory: otelq.Client) -> None:
    seen: list[str | None] = []
    here = otelq.Jobs()

    @here.job("here")
    async def handler(attempt: otelq.Attempt[None]) -> None:
        seen.append(attempt.request_id)
        seen.append(request_id.get())

    token = request_id.set("r-9")
    chains = [await memory.start(handler, None), await memory.start(handler, None, request_id="r-10")]
    request_id.reset(token)
    async with otelq.Worker(memory, here, concurrency=1):
        for chain in chains:
            await memory.result(chain, timeout=10)
    assert seen == ["r-9", "r-9", "r-10", "r-10"]
