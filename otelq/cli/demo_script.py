"""The script of the demo: the orders that it starts, and the outcomes that it expects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from ..client import Chain, Client
from ..errors import OtelqError
from ..model import Verb, job_id
from ..worker import Worker
from .order import (
    REVIEW_PAUSE,
    Item,
    Order,
    Parcel,
    Receipt,
    Reporter,
    Review,
    check_order,
    jobs,
    pick_item,
    send_parcel,
)

Out = TypeVar("Out")

ITEMS = (Item("scarf", 0.3), Item("mug", 0.15), Item("lamp", 0.7))
GOOD, EXPENSIVE = Order("A-1042", 64), Order("A-1043", 4200)
JOBS = 9
"""Two of check, three of pick, one each of charge, refuse, send and ask."""
ATTEMPTS = JOBS + 1
"""The card is charged twice."""
TIMEOUT = 30.0
"""Seconds to wait for a chain."""


@dataclass(frozen=True, slots=True)
class DemoResult:
    """The chains of a run and their outputs."""

    order: Chain[Receipt]
    refused: Chain[Receipt]
    picks: Sequence[Chain[str]]
    parcel: Chain[Review]
    receipt: Receipt
    refusal: Receipt
    review: Review

    @property
    def chains(self) -> Sequence[Chain[object]]:
        """Return all chains, dependents first."""
        return (self.parcel, self.order, self.refused, *self.picks)


@dataclass(frozen=True, slots=True)
class Check:
    """One expected outcome, and the one that was found."""

    name: str
    expected: object
    found: object

    @property
    def passed(self) -> bool:
        """Return whether they are equal."""
        return self.expected == self.found


async def run_orders(client: Client, reporter: Reporter) -> DemoResult:
    """
    Start two orders, and run a worker until they have ended.

    Raises:
        OtelqError: one of them failed, or did not end in time.
    """
    with reporter.tracer.start_as_current_span(f"checkout {GOOD.number}"):
        order = await client.start(check_order, GOOD)
        picks = await client.start_many(pick_item, ITEMS)
        parcel = await client.start(send_parcel, Parcel(GOOD.number), blockers=[order, *picks])
    reporter.report("checkout", f"{GOOD.number}: three items for {GOOD.total}; the parcel waits for four chains")
    with reporter.tracer.start_as_current_span(f"checkout {EXPENSIVE.number}"):
        refused = await client.start(check_order, EXPENSIVE)
    reporter.report("checkout", f"{EXPENSIVE.number}: one item for {EXPENSIVE.total}")
    async with Worker(client, jobs, poll_interval=0.5, provide=[reporter]):
        receipt, refusal, review = (
            await _result(client, order),
            await _result(client, refused),
            await _result(client, parcel),
        )
    return DemoResult(order, refused, picks, parcel, receipt, refusal, review)


async def _result(client: Client, chain: Chain[Out]) -> Out:
    try:
        return await client.result(chain, timeout=TIMEOUT)
    except TimeoutError as error:
        raise OtelqError(f"{chain.job_type.name} has not ended after {TIMEOUT:g} s") from error


async def check_outcomes(client: Client, result: DemoResult) -> list[Check]:
    """Compare the outcomes with the expected ones."""
    charges = await client.attempts(job_id(result.order.id, 1))
    stored = [job for chain in result.chains for job in (await client.jobs(chain=chain)).items]
    return [
        Check("the branch: the good order is paid", Receipt(GOOD.number, paid=True, attempts=2), result.receipt),
        Check("the branch: the expensive order is refused", Receipt(EXPENSIVE.number, paid=False), result.refusal),
        Check(
            "the retry: the card is charged at the second attempt",
            [Verb.RETRY, Verb.COMPLETE],
            [attempt.verb for attempt in charges],
        ),
        Check(
            "the fan-in: the parcel holds every item", [item.name for item in ITEMS], list(result.review.parcel.items)
        ),
        Check(
            "the delay: the review is asked no sooner than it is due", True, result.review.asked_after >= REVIEW_PAUSE
        ),
        Check("the chains: every job is stored once", JOBS, len(stored)),
    ]
