"""The workflow of the demo: check and charge orders, pick items, send parcels, and ask for a review later."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from opentelemetry.trace import Tracer

from ..definitions import Attempt, Continue, Jobs
from ..retry_policy import RetryPolicy

LIMIT = 500
"""The largest total that is charged."""
BANK_PAUSE = 0.4
REVIEW_PAUSE = 1.0

jobs = Jobs()


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a customer."""

    number: str
    total: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """The outcome of charging an order."""

    order: str
    paid: bool
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to fetch from a shelf; ``walk`` is how long that takes, in seconds."""

    name: str
    walk: float


@dataclass(frozen=True, slots=True)
class Parcel:
    """The parcel of an order."""

    order: str
    items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Review:
    """A question to the customer, and how long after the parcel it was asked, in seconds."""

    parcel: Parcel
    asked_after: float


@dataclass(frozen=True, slots=True)
class Request:
    """A parcel, and the time at which it was sent by this machine's clock."""

    parcel: Parcel
    sent_at: datetime


class Reporter:
    """Prints the progress of handlers, and has a tracer for their spans."""

    def __init__(self, write: Callable[[float, str, str], None], tracer: Tracer) -> None:
        self.tracer = tracer
        self._write = write
        self._began = time.monotonic()

    def report(self, who: str, what: str) -> None:
        """Print one line, with the seconds since the start."""
        self._write(time.monotonic() - self._began, who, what)


@jobs.job("order.check")
async def check_order(attempt: Attempt[Order]) -> Continue[Receipt]:
    """Refuse an order over the limit, charge any other: a branch."""
    order, reporter = attempt.input, attempt.get(Reporter)
    if order.total > LIMIT:
        reporter.report("order.check", f"{order.number}: {order.total} is over the limit of {LIMIT}, so it is refused")
        return attempt.continue_with(refuse_order, order)
    reporter.report("order.check", f"{order.number}: {order.total} is fine, so the card is charged")
    return attempt.continue_with(charge_card, order)


@jobs.job("order.refuse", entry=False)
async def refuse_order(attempt: Attempt[Order]) -> Receipt:
    """Refuse an order."""
    attempt.get(Reporter).report("order.refuse", f"{attempt.input.number}: the customer is informed")
    return Receipt(attempt.input.number, paid=False)


@jobs.job("order.charge", entry=False, retry=RetryPolicy(max_attempts=3, initial=BANK_PAUSE, jitter=0))
async def charge_card(attempt: Attempt[Order]) -> Receipt:
    """Charge the card; fail at the first attempt, to show a retry."""
    order, reporter = attempt.input, attempt.get(Reporter)
    with reporter.tracer.start_as_current_span("POST /charges"):
        await asyncio.sleep(0.06)
        if attempt.number == 1:
            reporter.report("order.charge", f"{order.number}: the bank does not answer; again in {BANK_PAUSE:g} s")
            raise ConnectionError("the bank does not answer")
    reporter.report("order.charge", f"{order.number}: {order.total} paid, at attempt {attempt.number}")
    return Receipt(order.number, paid=True, attempts=attempt.number)


@jobs.job("item.pick")
async def pick_item(attempt: Attempt[Item]) -> str:
    """Pick one item, beside others at the same time."""
    item, reporter = attempt.input, attempt.get(Reporter)
    await asyncio.sleep(item.walk)
    reporter.report("item.pick", f"{item.name} is in the box")
    return item.name


@jobs.job("parcel.send")
async def send_parcel(attempt: Attempt[Parcel]) -> Continue[Review]:
    """Send the parcel, once the order is paid and every item is picked: a fan-in."""
    reporter = attempt.get(Reporter)
    [receipt] = attempt.blockers(check_order)
    parcel = Parcel(receipt.order, tuple(attempt.blockers(pick_item)))
    with reporter.tracer.start_as_current_span("print label"):
        await asyncio.sleep(0.03)
    reporter.report("parcel.send", f"{parcel.order}: paid and complete, so the parcel is sent")
    return attempt.continue_with(ask_review, Request(parcel, datetime.now(UTC)), delay=REVIEW_PAUSE)


@jobs.job("review.ask", entry=False)
async def ask_review(attempt: Attempt[Request]) -> Review:
    """Ask for a review, some time after the parcel was sent."""
    parcel, sent_at = attempt.input.parcel, attempt.input.sent_at
    later = (datetime.now(UTC) - sent_at).total_seconds()
    attempt.get(Reporter).report("review.ask", f"{parcel.order}: {later:.1f} s later, the customer is asked how it was")
    return Review(parcel, later)
