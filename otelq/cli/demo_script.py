"""What the demo plays on the workflow of ``order``, and how it must end."""

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
    Narrator,
    Order,
    Parcel,
    Receipt,
    Review,
    check_order,
    jobs,
    pick_item,
    send_parcel,
)

Out = TypeVar("Out")

ITEMS = (Item("scarf", 0.3), Item("mug", 0.15), Item("lamp", 0.7))
GOOD, TOO_DEAR = Order("A-1042", 64), Order("A-1043", 4200)
JOBS = 9
"""Two of check, three of pick, one each of charge, refuse, send and ask."""
ATTEMPTS = JOBS + 1
"""The card is charged twice."""
PATIENCE = 30.0
"""Seconds after which a chain that has not ended is given up."""


@dataclass(frozen=True, slots=True)
class Story:
    """The chains that were played, and what they came to."""

    order: Chain[Receipt]
    refused: Chain[Receipt]
    picks: Sequence[Chain[str]]
    parcel: Chain[Review]
    receipt: Receipt
    refusal: Receipt
    review: Review

    @property
    def chains(self) -> Sequence[Chain[object]]:
        """All of them."""
        return (self.parcel, self.order, self.refused, *self.picks)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must have come about."""

    what: str
    expected: object
    found: object

    @property
    def holds(self) -> bool:
        """Whether it did."""
        return self.expected == self.found


async def play(client: Client, narrator: Narrator) -> Story:
    """
    Start two orders, and run a worker until they have ended.

    Raises:
        OtelqError: one of them did not end well, or not in time.
    """
    with narrator.tracer.start_as_current_span(f"checkout {GOOD.number}"):
        order = await client.start(check_order, GOOD)
        picks = await client.start_many(pick_item, ITEMS)
        parcel = await client.start(send_parcel, Parcel(GOOD.number), blockers=[order, *picks])
    narrator.say("checkout", f"{GOOD.number}: three items for {GOOD.total}; the parcel waits for four chains")
    with narrator.tracer.start_as_current_span(f"checkout {TOO_DEAR.number}"):
        refused = await client.start(check_order, TOO_DEAR)
    narrator.say("checkout", f"{TOO_DEAR.number}: one item for {TOO_DEAR.total}")
    async with Worker(client, jobs, poll_interval=0.5, provide=[narrator]):
        receipt, refusal, review = await _end(client, order), await _end(client, refused), await _end(client, parcel)
    return Story(order, refused, picks, parcel, receipt, refusal, review)


async def _end(client: Client, chain: Chain[Out]) -> Out:
    try:
        return await client.result(chain, timeout=PATIENCE)
    except TimeoutError as error:
        raise OtelqError(f"{chain.job_type.name} has not ended after {PATIENCE:g} s") from error


async def checks(client: Client, story: Story) -> list[Check]:
    """How the story ended, beside how it must."""
    charges = await client.attempts(job_id(story.order.id, 1))
    stored = [job for chain in story.chains for job in (await client.jobs(chain=chain)).items]
    return [
        Check("the branch: the good order is paid", Receipt(GOOD.number, paid=True, attempts=2), story.receipt),
        Check("the branch: the dear order is not", Receipt(TOO_DEAR.number, paid=False), story.refusal),
        Check(
            "the retry: the card is charged at the second attempt",
            [Verb.RETRY, Verb.COMPLETE],
            [attempt.verb for attempt in charges],
        ),
        Check(
            "the fan-in: the parcel holds every item", [item.name for item in ITEMS], list(story.review.parcel.items)
        ),
        Check("the delay: the review is asked in due time", True, story.review.asked_after >= REVIEW_PAUSE),
        Check("the chains: every job is stored once", JOBS, len(stored)),
    ]
