"""Handlers that give their inputs back, in the worker and in a process of their own; a module, as those need one."""

from __future__ import annotations

from typing import Any

import otelq
from tests.unit.shapes import SHAPES, Everything, Ingested, Order
from tests.unit.test_readback import Labelled
from tests.unit.test_readback_pydantic import Shouting

from .support import ONCE

jobs = otelq.Jobs()


async def _same(attempt: otelq.Attempt[Any]) -> Any:
    return attempt.input


shapes: list[otelq.JobType[Any, Any]] = [
    otelq.JobType[kind, kind](f"shape-{n}")  # type: ignore[valid-type]  # a type that is known when it runs
    for n, (kind, _) in enumerate(SHAPES)
]
for _shape in shapes:
    jobs.handles(_shape, retry=ONCE)(_same)


@jobs.job("label", retry=ONCE)
async def label(attempt: otelq.Attempt[Labelled]) -> Labelled:
    return attempt.input


@jobs.job("shout", retry=ONCE)
async def shout(attempt: otelq.Attempt[str]) -> Shouting:
    return Shouting(text=attempt.input)


@jobs.job("go-on", retry=ONCE)
async def go_on(attempt: otelq.Attempt[str]) -> otelq.Continue[Shouting]:
    return attempt.continue_with(listen, Shouting(text=attempt.input))


@jobs.job("listen", retry=ONCE, entry=False)
async def listen(attempt: otelq.Attempt[Shouting]) -> Shouting:
    return attempt.input


@jobs.job("ingest", executor="process", retry=ONCE)
def ingest(attempt: otelq.Attempt[Ingested]) -> list[Any]:
    return [attempt.input.amount, attempt.input.city, attempt.input.zip]


@jobs.job("everything", executor="process", retry=ONCE)
def everything(attempt: otelq.Attempt[Everything]) -> Everything:
    return attempt.input


@jobs.job("order", executor="process", retry=ONCE)
def order(attempt: otelq.Attempt[Order]) -> otelq.Continue[Order]:
    return attempt.continue_with(next_order, attempt.input)


@jobs.job("next-order", executor="process", retry=ONCE, entry=False)
def next_order(attempt: otelq.Attempt[Order]) -> Order:
    return attempt.input


@jobs.job("process-shout", executor="process", retry=ONCE)
def process_shout(attempt: otelq.Attempt[str]) -> Shouting:
    return Shouting(text=attempt.input)
