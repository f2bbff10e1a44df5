"""What is started arrives as the same value, whichever way it takes, or is refused when it is written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import Any, NamedTuple
from uuid import UUID

import pytest

import otelq
from tests.unit.shapes import EVERYTHING, ORDER, SHAPES, Colour, Ingested
from tests.unit.test_readback import Cents, Labelled, Markup, Moment
from tests.unit.test_readback_pydantic import Order, Shouting

from . import value_work as work
from .support import ended

INGESTED = Ingested(amount_cents=1999, address={"city": "Ulm"}, zipIn="89073")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # by alias
LOUD = Shouting(text="a")


async def test_common_shapes_arrive_equal(client: otelq.Client) -> None:
    chains = [await client.start(job_type, value) for job_type, (_, value) in zip(work.shapes, SHAPES, strict=True)]

    async with otelq.Worker(client, work.jobs):
        for chain, (_, value) in zip(chains, SHAPES, strict=True):
            assert await client.result(chain, timeout=30) == value


async def test_a_field_that_is_read_by_another_alias_arrives(client: otelq.Client) -> None:
    jobs = otelq.Jobs()

    @jobs.job("charge")
    async def charge(attempt: otelq.Attempt[Order]) -> int:
        return attempt.input.amount

    async with otelq.Worker(client, jobs):
        order = Order(amount_cents=1999)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # by alias
        chain = await client.start(charge, order)
        assert await client.result(chain, timeout=30) == 1999


@pytest.mark.parametrize("number", [1e16, 1e23, -1.5e300, 1.0, 5e-324, 2**53 + 1, 10**300, True])
async def test_a_number_keeps_its_type(client: otelq.Client, number: Any) -> None:
    plain: otelq.JobType[Any, Any] = otelq.JobType[Any, Any]("number")
    chain = await client.start(plain, None)
    await client.complete(chain, {"n": number}, step=plain)

    got = (await client.result(chain))["n"]

    assert (got, type(got)) == (number, type(number))


async def test_values_of_subclasses_arrive_as_their_base_values(client: otelq.Client) -> None:
    given = Labelled(Markup("a"), Cents(7), Moment(2026, 1, 2, tzinfo=UTC), {"b": [Markup("c")]})

    async with otelq.Worker(client, work.jobs):
        got = await client.result(await client.start(work.label, given), timeout=30)

    assert got == Labelled("a", 7, datetime(2026, 1, 2, tzinfo=UTC), {"b": ["c"]})
    assert type(got.label) is str


async def test_what_would_change_is_refused_from_outside(memory: otelq.Client) -> None:
    loud: otelq.JobType[Shouting, Shouting] = otelq.JobType("loud", input=Shouting, output=Shouting)
    quiet: otelq.JobType[Any, Shouting] = otelq.JobType[Any, Shouting]("quiet")
    chain = await memory.start(quiet, None, delay=3600)

    refused: list[Callable[[], Awaitable[object]]] = [
        lambda: memory.start(loud, LOUD),
        lambda: memory.start_many(loud, [LOUD]),
        lambda: memory.complete(chain, LOUD, step=quiet),
        lambda: memory.complete(chain, otelq.Continue(loud, LOUD), step=quiet),
        lambda: memory.amend(chain, step=quiet, input=(1,)),
    ]
    for call in refused:
        with pytest.raises(otelq.InvalidArgument, match="would come back as"):
            await call()
    assert (await memory.count()).number == 1


@pytest.mark.parametrize(
    "job_type, argument",
    [(work.shout, "return value"), (work.go_on, "continuation"), (work.process_shout, "return value")],
)
async def test_what_a_handler_gives_and_would_change_fails_its_attempt(
    memory: otelq.Client, job_type: otelq.JobType[str, Shouting], argument: str
) -> None:
    async with otelq.Worker(memory, work.jobs):
        job = await ended(memory, await memory.start(job_type, "a"))

    assert job.failure is not None
    assert f"{argument}: text would come back as another value" in job.failure.text


async def test_values_go_to_a_process_and_come_back(client: otelq.Client) -> None:
    async with otelq.Worker(client, work.jobs):
        ingested = await client.start(work.ingest, INGESTED)
        everything = await client.start(work.everything, EVERYTHING)
        order = await client.start(work.order, ORDER)
        assert await client.result(ingested, timeout=30) == [1999, "Ulm", "89073"]
        assert await client.result(everything, timeout=30) == EVERYTHING
        assert await client.result(order, timeout=30) == ORDER


async def test_a_copy_has_the_same_input(client: otelq.Client) -> None:
    async with otelq.Worker(client, work.jobs):
        chain = await client.copy(await client.start(work.everything, EVERYTHING))
        assert await client.result(chain, timeout=30) == EVERYTHING


class Found(NamedTuple):
    key: UUID
    day: date
    colour: Colour
    number: float


async def test_a_payload_is_found_by_the_values_that_it_was_given(client: otelq.Client) -> None:
    found = Found(UUID(int=7), date(2026, 1, 2), Colour.RED, 1e23)
    held: otelq.JobType[dict[str, Any], None] = otelq.JobType[dict[str, Any], None]("held")
    await client.start(held, {**found._asdict(), "key": str(found.key), "day": "2026-01-02", "colour": "red"})

    for name, value in found._asdict().items():
        assert (await client.count(input={name: value})).number == 1
    with pytest.raises(otelq.InvalidArgument, match="nan"):
        await client.count(input={"number": float("nan")})
