"""The demo's workflow: orders are checked and paid, items picked, parcels sent, and a review is asked for later."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from opentelemetry.trace import Tracer

from ..definitions import Attempt, Continue, Jobs
from ..schedule import RetryPolicy

LIMIT = 500
"""The largest total that is charged without asking anybody."""
BANK_PAUSE = 0.4
REVIEW_PAUSE = 1.0

jobs = Jobs()


@dataclass(frozen=True, slots=True)
class Order:
    """What a customer bought."""

    number: str
    total: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """How the payment of an order ended."""

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
    """What leaves the house."""

    order: str
    items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Review:
    """A question to the customer, and how long after the parcel it was asked, in seconds."""

    parcel: Parcel
    asked_after: float


@dataclass(frozen=True, slots=True)
class Request:
    """When, by this machine's clock, a parcel had left."""

    parcel: Parcel
    sent_at: datetime


class Narrator:
    """What the handlers are provided with: somebody who tells what happens, and a tracer for their own spans."""

    def __init__(self, write: Callable[[float, str, str], None], tracer: Tracer) -> None:
        self.tracer = tracer
        self._write = write
        self._began = time.monotonic()

    def say(self, who: str, what: str) -> None:
        """Tell one thing, with the seconds since the story began."""
        self._write(time.monotonic() - self._began, who, what)


@jobs.job("order.check")
async def check_order(attempt: Attempt[Order]) -> Continue[Receipt]:
    """Branch: what is over the limit goes another way."""
    order, tell = attempt.input, attempt.get(Narrator)
    if order.total > LIMIT:
        tell.say("order.check", f"{order.number}: {order.total} is over the limit of {LIMIT}, so it is refused")
        return attempt.continue_with(refuse_order, order)
    tell.say("order.check", f"{order.number}: {order.total} is fine, so the card is charged")
    return attempt.continue_with(charge_card, order)


@jobs.job("order.refuse", entry=False)
async def refuse_order(attempt: Attempt[Order]) -> Receipt:
    """The other branch: nothing is paid."""
    attempt.get(Narrator).say("order.refuse", f"{attempt.input.number}: the customer is told")
    return Receipt(attempt.input.number, paid=False)


@jobs.job("order.charge", entry=False, retry=RetryPolicy(max_attempts=3, initial=BANK_PAUSE, jitter=0))
async def charge_card(attempt: Attempt[Order]) -> Receipt:
    """Fails once: the bank is slow to wake up."""
    order, tell = attempt.input, attempt.get(Narrator)
    with tell.tracer.start_as_current_span("POST /charges"):
        await asyncio.sleep(0.06)
        if attempt.number == 1:
            tell.say("order.charge", f"{order.number}: the bank does not answer; again in {BANK_PAUSE:g} s")
            raise ConnectionError("the bank does not answer")
    tell.say("order.charge", f"{order.number}: {order.total} paid, at attempt {attempt.number}")
    return Receipt(order.number, paid=True, attempts=attempt.number)


@jobs.job("item.pick")
async def pick_item(attempt: Attempt[Item]) -> str:
    """One of several that run side by side."""
    item, tell = attempt.input, attempt.get(Narrator)
    await asyncio.sleep(item.walk)
    tell.say("item.pick", f"{item.name} is in the box")
    return item.name


@jobs.job("parcel.send")
async def send_parcel(attempt: Attempt[Parcel]) -> Continue[Review]:
    """Fan-in: runs when the order is paid and every item picked."""
    tell = attempt.get(Narrator)
    [receipt] = attempt.blockers(check_order)
    parcel = Parcel(receipt.order, tuple(attempt.blockers(pick_item)))
    with tell.tracer.start_as_current_span("print label"):
        await asyncio.sleep(0.03)
    tell.say("parcel.send", f"{parcel.order}: paid and complete, so the parcel leaves")
    return attempt.continue_with(ask_review, Request(parcel, datetime.now(UTC)), delay=REVIEW_PAUSE)


@jobs.job("review.ask", entry=False)
async def ask_review(attempt: Attempt[Request]) -> Review:
    """Delayed: due a while after the parcel left."""
    parcel, sent_at = attempt.input.parcel, attempt.input.sent_at
    later = (datetime.now(UTC) - sent_at).total_seconds()
    attempt.get(Narrator).say("review.ask", f"{parcel.order}: {later:.1f} s later, the customer is asked how it was")
    return Review(parcel, later)
