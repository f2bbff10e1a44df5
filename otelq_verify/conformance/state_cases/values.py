"""Values at the edge of what a database holds."""

from __future__ import annotations

import json
from decimal import Decimal

from otelq.errors import OtelqError, Refused
from otelq.model import Completes, Fails, Failure, Outcome, Settlement, SettleResult, Status

from ..cases import Theme
from ..kit import Kit, equal, ids, true

values = Theme[Kit]("values")

GOOD = {
    "unicode": '"\\u00e9 \U0001f600 \u2028 \\"quoted\\" \\\\ back"',
    "escapes": '"tab\\t newline\\n slash\\/ \\ud83d\\ude00"',
    "numbers": "[0, -1, 9007199254740993, 0.1, 1.5e300, -2.5e-7, 123456789012345678901234567890]",
    "nesting": "[" * 200 + "]" * 200,
    "null": "null",
    "empty text": '""',
    "empty object": "{}",
    "object": '{"b": 1, "a": {"": [true, false, null]}}',
    "long": json.dumps("x" * 300_000),
}
"""JSON that every store holds, and gives back with the same meaning."""

BAD: dict[str, Outcome] = {
    "NUL in JSON text": Completes('"\\u0000"'),
    "a raw NUL": Completes('"\0"'),
    "half a surrogate pair": Completes('"\\ud800"'),
    "a lone surrogate": Completes('"\ud800"'),
    "a number of 400,000 digits": Completes("1e400000"),
    "nesting of 20,000": Completes("[" * 20_000 + "]" * 20_000),
    "no JSON": Completes("{not json"),
    "no text at all": Completes(""),
    "NUL in an error's text": Fails(Failure("Error", "a\0b")),
    "a lone surrogate in an error's text": Fails(Failure("Error", "a\udc80b")),
}
"""Values that some store refuses; it must raise, and write nothing."""


def _meaning(text: str) -> object:
    """Parse JSON text so that numbers are compared exactly, however they are written."""
    return json.loads(text, parse_int=Decimal, parse_float=Decimal)


def _keeps(name: str, text: str) -> None:
    async def check(kit: Kit) -> None:
        chain = await kit.start(input=text)
        job = await kit.lease()
        equal(_meaning(job.input), _meaning(text), "the input claimed")
        await kit.done(job, Completes(text))
        output = (await kit.outcome(chain)).output
        true(output is not None, "a completed chain has no output")
        equal(_meaning(output or ""), _meaning(text), "the output")

    values.add(f"keeps_{name.replace(' ', '_')}", f"Payloads with {name} are returned with the same meaning.", check)


for _name, _text in GOOD.items():
    _keeps(_name, _text)


def _survives(name: str, outcome: Outcome) -> None:
    async def check(kit: Kit) -> None:
        await kit.create(*(kit.job() for _ in range(3)))
        claimed = await kit.claim(limit=3)
        outcomes = (Completes("1"), outcome, Completes("1"))
        batch = [Settlement(job, each, "worker") for job, each in zip(claimed, outcomes, strict=True)]
        try:
            settled = await kit.settle_all(*batch)
        except Refused:
            statuses = [await kit.status(chain) for chain in ids(claimed)]
            equal(statuses, [Status.RUNNING] * 3, "statuses after a refusal, which writes nothing of the batch")
            await kit.done(claimed[0])
            await kit.done(claimed[1], Fails(Failure("Error", "harmless")))
        else:
            equal(settled.results, (SettleResult.DONE,) * 3, "the verdicts of a batch that was not refused")
            await _unchanged(kit, ids(claimed)[1], outcome)

    promise = f"An outcome with {name} is Refused with its whole batch, or written unchanged."
    values.add(f"survives_{name.replace(' ', '_').replace(',', '')}", promise, check)


async def _unchanged(kit: Kit, chain: str, outcome: Outcome) -> None:
    found = await kit.outcome(chain)
    match outcome:
        case Completes(output):
            true(found.output is not None, "an output that was written is not there")
            equal((found.output or "").replace(" ", ""), output.replace(" ", ""), "the output")
        case Fails(failure):
            equal(found.failure, failure, "the failure")
        case _:
            raise NotImplementedError(outcome)


for _name, _outcome in BAD.items():
    _survives(_name, _outcome)


@values.case
async def refuses_a_bad_start_whole(kit: Kit) -> None:
    """A start that the store refuses raises an error of otelq, and nothing of its batch is written."""
    for text in ('"\\u0000"', '"\0"', '"\ud800"', "{not json"):
        good, bad = kit.job(), kit.job(input=text)
        try:
            await kit.create(good, bad)
        except OtelqError:
            true(not await kit.exists(good.chain_id), "a part of a refused batch was written")
        else:
            equal((await kit.tail(bad.chain_id)).input, text, "the input that was not refused")


@values.case
async def keeps_odd_names(kit: Kit) -> None:
    """Names and keys are data: quotes, percent signs and other alphabets change nothing."""
    for name in ("it's", 'double"quote', "100%", "a;b--c", "ünï-код-名", "$1", "{x}", "back\\slash"):
        chain = await kit.start(name, queue=name, trace=name)
        job = await kit.lease(name, worker=name)
        equal((job.type, job.queue, job.trace), (name, name, name), "type, queue and trace")
        await kit.done(job, Fails(Failure(name, name)), worker=name, trace=name)
        equal((await kit.outcome(chain)).failure, Failure(name, name), "the failure")
        (record,) = await kit.adapter.attempts(chain, 0)
        equal((record.worker, record.trace), (name, name), "worker and trace of the attempt")
