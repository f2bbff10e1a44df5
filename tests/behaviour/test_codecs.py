"""Payloads end to end: pydantic's types, and codecs that change what the tables hold."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Annotated, Any, Literal

import pydantic
import pytest

import otelq

from .support import ONCE, becomes, ended

OLD, NEW = b"o" * 16, b"n" * 32
SECRET = "4111-1111-1111-1111"

Connect = Callable[..., otelq.Client]


@pytest.fixture
def connect(backend: str) -> Connect:
    """Connects to one and the same database as often as called."""

    def to(codec: otelq.PayloadCodec | None = None, **options: Any) -> otelq.Client:
        return otelq.connect(backend, codec=codec, **options)

    return to


class Card(pydantic.BaseModel):
    number: str
    cents: int = pydantic.Field(gt=0, default=1)


class Paid(pydantic.BaseModel):
    kind: Literal["paid"] = "paid"
    card: Card


class Refused(pydantic.BaseModel):
    kind: Literal["refused"] = "refused"
    why: str


Answer = Annotated[Paid | Refused, pydantic.Field(discriminator="kind")]

jobs = otelq.Jobs()

pay: otelq.JobType[Card, Answer] = otelq.JobType[Card, Answer]("pay")
settle: otelq.JobType[list[Card], Answer] = otelq.JobType[list[Card], Answer]("settle")


@jobs.handles(pay, retry=ONCE)
async def _pay(attempt: otelq.Attempt[Card]) -> Paid | Refused | otelq.Continue[Answer]:
    return attempt.continue_with(settle, [attempt.input])


@jobs.handles(settle, retry=ONCE)
async def _settle(attempt: otelq.Attempt[list[Card]]) -> Paid | Refused:
    [card] = attempt.input
    return Paid(card=card) if card.cents < 100 else Refused(why="too much")


@jobs.job("report", retry=ONCE)
async def report(attempt: otelq.Attempt[None]) -> list[str]:
    return [answer.kind for answer in attempt.blockers(pay)]


@jobs.job("echo", retry=ONCE)
async def echo(attempt: otelq.Attempt[str]) -> str:
    return attempt.input


async def stored(client: otelq.Client) -> str:
    """Whatever the tables hold of payloads, as a client sees it in its raw records."""
    return "\n".join(f"{job.input} {job.output}" for job in (await client.jobs(limit=1000)).items)


@pytest.fixture(params=[None, otelq.Encryption({"k": NEW})], ids=["plain", "encrypted"])
async def codec(request: pytest.FixtureRequest) -> otelq.PayloadCodec | None:
    chosen: otelq.PayloadCodec | None = request.param
    return chosen


async def test_models_travel_through_continuations_and_blockers(
    connect: Connect, codec: otelq.PayloadCodec | None
) -> None:
    async with connect(codec) as client, otelq.Worker(client, jobs):
        cheap, dear = await client.start_many(pay, [Card(number=SECRET), Card(number="7", cents=100)])
        both = await client.start(report, None, blockers=[dear, cheap])
        assert await client.result(both, timeout=10) == ["refused", "paid"]
        assert await client.result(cheap, timeout=10) == Paid(card=Card(number=SECRET))
        assert (SECRET in await stored(client)) == (codec is None)


async def test_a_model_that_does_not_fit_is_refused_before_anything_is_written(connect: Connect) -> None:
    async with connect() as client:
        wrong = Card.model_construct(number=SECRET, cents=-5)
        for call in (
            lambda: client.start(pay, wrong),
            lambda: client.start_many(pay, [Card(number="7"), wrong]),
        ):
            with pytest.raises(otelq.InvalidArgument, match="cents: Input should be greater than 0") as caught:
                await call()
            assert SECRET not in str(caught.value)
        assert not (await client.jobs()).items


async def test_the_tables_hold_no_payload_in_plain(connect: Connect) -> None:
    async with connect(otelq.Encryption({"k": NEW})) as client:
        outside = await client.start(echo, SECRET, delay=3600)
        await client.complete(outside, SECRET, step=echo)
        onward = await client.start(pay, Card(number=SECRET), delay=3600)
        await client.complete(onward, otelq.Continue(settle, [Card(number=SECRET)]), step=pay)
        async with otelq.Worker(client, jobs), client.transaction() as tx:
            inside = await client.start(pay, Card(number=SECRET), tx=tx)
        async with otelq.Worker(client, jobs):
            assert await client.result(inside, timeout=10) == await client.result(onward, timeout=10)
            assert await client.result(outside, timeout=10) == SECRET
        forms = [
            json.loads(payload)
            for job in (await client.jobs(limit=1000)).items
            for payload in (job.input, job.output)
            if payload is not None
        ]
        assert len(forms) == 8
        assert all(form.keys() == {"otelq:enc", "key", "data"} for form in forms)
        assert SECRET not in await stored(client)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_a_search_in_payloads_finds_only_what_is_not_encrypted(connect: Connect) -> None:
    async with connect() as plain, connect(otelq.Encryption({"k": NEW})) as sealed:
        card = Card(number=SECRET)
        found = await plain.start(pay, card, delay=3600)
        await sealed.start(pay, card, delay=3600)
        for client in (plain, sealed):
            for page in (await client.chains(input={"number": SECRET}), await client.chains(text=SECRET)):
                assert [chain.head.chain_id for chain in page.items] == [found.id]


async def test_keys_are_rotated_while_work_goes_on(connect: Connect) -> None:
    rotated = otelq.Encryption({"old": OLD, "new": NEW}, use="new")
    async with connect() as first, connect(otelq.Encryption({"old": OLD})) as second, connect(rotated) as third:
        chains = [await client.start(echo, SECRET) for client in (first, second, third)]
        async with otelq.Worker(third, jobs):
            assert [await third.result(chain, timeout=10) for chain in chains] == [SECRET] * 3
        keys = [json.loads(job.input) for job in reversed((await third.jobs()).items)]
        assert [key if key == SECRET else key["key"] for key in keys] == [SECRET, "old", "new"]
        assert all(json.loads(job.output or "")["key"] == "new" for job in (await third.jobs()).items)


async def test_a_job_waits_until_its_worker_has_the_key(connect: Connect) -> None:
    rotated = otelq.Encryption({"old": OLD, "new": NEW}, use="new")
    async with connect(rotated) as ahead, connect(otelq.Encryption({"old": OLD})) as behind:
        chain = await ahead.start(echo, SECRET)
        async with otelq.Worker(behind, jobs):
            assert (await becomes(behind, chain, "scheduled")).attempt == 0
        await ahead.trigger(chain)
        async with otelq.Worker(ahead, jobs):
            assert await ahead.result(chain, timeout=10) == SECRET


async def test_a_missing_key_fails_its_job_and_no_other(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with connect(otelq.Encryption({"lost": OLD})) as before, connect(otelq.Encryption({"k": NEW})) as client:
        lost = await before.start(echo, SECRET)
        async with otelq.Worker(client, jobs, undecodable_for=0):
            found = await client.start(echo, SECRET)
            assert await client.result(found, timeout=10) == SECRET
            job = await ended(client, lost)
            assert await client.result(await client.start(echo, "after"), timeout=10) == "after"
    assert (job.status, job.attempt) == ("failed", 1)
    assert job.failure is not None
    assert job.failure.type == "otelq.errors.UndecodablePayload"
    assert "is encrypted with key 'lost'" in job.failure.text
    assert SECRET not in job.failure.text + caplog.text


async def test_a_row_that_no_longer_validates_fails_its_job_and_no_other(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    earlier: otelq.JobType[dict[str, str], Answer] = otelq.JobType[dict[str, str], Answer]("pay")
    async with connect() as client:
        stale = await client.start(earlier, {"number": "7", "cents": SECRET})
        async with otelq.Worker(client, jobs, undecodable_for=0):
            job = await ended(client, stale)
            assert await client.result(await client.start(pay, Card(number="7")), timeout=10) == Paid(
                card=Card(number="7")
            )
    assert job.failure is not None
    assert job.failure.type == "otelq.errors.UndecodablePayload"
    assert "does not fit Card: cents: Input should be a valid integer" in job.failure.text
    assert SECRET not in job.failure.text + caplog.text


async def test_an_output_that_does_not_validate_fails_its_attempt(connect: Connect) -> None:
    handlers = otelq.Jobs()

    @handlers.job("careless", retry=ONCE)
    async def careless(attempt: otelq.Attempt[None]) -> Card:
        return Card.model_construct(number=SECRET, cents=0)

    async with connect() as client, otelq.Worker(client, handlers):
        job = await ended(client, await client.start(careless, None))
    assert job.failure is not None
    assert job.failure.text.startswith("return value: does not fit Card: cents: Input should be greater than 0")
    assert SECRET not in job.failure.text


async def test_a_result_that_cannot_be_read_is_undecodable_for_its_caller_only(connect: Connect) -> None:
    async with connect(otelq.Encryption({"k": NEW})) as client, connect() as stranger:
        async with otelq.Worker(client, jobs):
            chain = await client.start(echo, SECRET)
            await client.result(chain, timeout=10)
        with pytest.raises(otelq.UndecodablePayload, match="connect with codec="):
            await stranger.result(chain, timeout=10)
        assert await client.result(chain, timeout=10) == SECRET


async def test_a_blocker_s_output_that_cannot_be_read_fails_who_asks_for_it(connect: Connect) -> None:
    async with connect(otelq.Encryption({"lost": OLD})) as before, connect(otelq.Encryption({"k": NEW})) as client:
        async with otelq.Worker(before, jobs):
            blocker = await before.start(pay, Card(number=SECRET))
            await before.result(blocker, timeout=10)
        async with otelq.Worker(client, jobs, undecodable_for=0):
            job = await ended(client, await client.start(report, None, blockers=[blocker]))
    assert job.failure is not None
    assert "is encrypted with key 'lost'" in job.failure.text


async def test_a_payload_moved_to_another_chain_is_not_read_there(connect: Connect) -> None:
    """What somebody who can write to the tables might try: give one chain another chain's input."""
    sealed = otelq.Encryption({"k": NEW})
    places: list[otelq.PayloadPlace] = []

    class Swapped:
        """Stores every input under the place of the first."""

        def encode(self, text: str, place: otelq.PayloadPlace, /) -> str:
            places.append(place)
            return sealed.encode(text, places[0])

        def decode(self, text: str, place: otelq.PayloadPlace, /) -> str:
            return sealed.decode(text, place)

    async with connect(Swapped()) as thief, connect(sealed) as client:
        rightful, moved = await thief.start(echo, SECRET), await thief.start(echo, SECRET)
        async with otelq.Worker(client, jobs, undecodable_for=0):
            assert await client.result(rightful, timeout=10) == SECRET
            job = await ended(client, moved)
    assert job.failure is not None
    assert "belongs to another chain or job type" in job.failure.text


async def test_the_limit_of_payloads_counts_what_is_stored(connect: Connect) -> None:
    async with connect(otelq.Encryption({"k": NEW}), max_payload=1024) as client:
        await client.start(echo, "x" * 600)
        with pytest.raises(otelq.InvalidArgument, match="over the limit of 1,024"):
            await client.start(echo, "x" * 1000)


async def test_a_worker_refuses_a_type_that_can_never_be_read(memory: otelq.Client) -> None:
    class Bare:
        pass

    handlers = otelq.Jobs()

    async def handler(attempt: otelq.Attempt[Any]) -> Any:
        return None

    handlers.handles(otelq.JobType("bare", input=Bare, output=int))(handler)
    with pytest.raises(otelq.InvalidArgument, match=r"input: of job type 'bare': .*Bare cannot be read"):
        otelq.Worker(memory, handlers)


async def test_a_start_is_the_first_use_of_its_type(memory: otelq.Client) -> None:
    called: otelq.JobType[Any, int] = otelq.JobType[Callable[[], int], int]("called")

    with pytest.raises(otelq.InvalidArgument, match="nothing fits Callable"):
        await memory.start(called, lambda: 7)
    assert not (await memory.jobs()).items


@pytest.mark.parametrize("codec", [5, "aes", otelq.Encryption, object()])
def test_connect_refuses_what_is_no_codec(codec: Any) -> None:
    with pytest.raises(otelq.InvalidArgument, match="codec: is"):
        otelq.connect("memory://", codec=codec)


async def test_no_key_and_no_payload_reaches_the_log(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with connect(otelq.Encryption({"k": NEW})) as client, otelq.Worker(client, jobs):
        await client.result(await client.start(echo, SECRET), timeout=10)
    assert SECRET not in caplog.text
    assert "nnnn" not in caplog.text
