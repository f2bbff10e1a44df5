"""The chain of an order: charge the card, reserve the items, ship the parcel. Inputs are ids of orders."""

import asyncio
import logging

from sqlalchemy.ext.asyncio import AsyncSession

import otelq

from . import payments
from .database import Order, Parcel, Product

logger = logging.getLogger("shop")
jobs = otelq.Jobs()


@jobs.job("order.charge", retry=otelq.RetryPolicy(max_attempts=5, initial=0.5, fail_on=(payments.Declined,)))
async def charge(attempt: otelq.Attempt[str]) -> otelq.Continue[str]:
    async with attempt.transaction(AsyncSession) as session:
        order = await session.get_one(Order, attempt.input)
        product = await session.get_one(Product, order.item)
    # Slow, so outside of any transaction. A handler can run twice: the provider charges each key once.
    receipt = await payments.charge(order.card, order.quantity * product.cents, key=attempt.job_id)
    _, order = await begin_completion(attempt)
    order.status, order.receipt = "charged", receipt
    return attempt.continue_with(reserve, attempt.input)


@jobs.job("order.reserve", entry=False)
async def reserve(attempt: otelq.Attempt[str]) -> otelq.Continue[str]:
    session, order = await begin_completion(attempt)
    product = await session.get_one(Product, order.item, with_for_update=True)
    if product.stock < order.quantity:
        raise otelq.Snooze(60)  # sold out: look again in a minute, without spending an attempt
    product.stock -= order.quantity
    order.status = "reserved"
    return attempt.continue_with(ship, attempt.input)


@jobs.job("order.ship", entry=False, lease=3)  # if the worker dies, another one packs after 3 seconds
async def ship(attempt: otelq.Attempt[str]) -> str:
    async with attempt.transaction(AsyncSession) as session:
        order = await session.get_one(Order, attempt.input)
    await pack(order)
    session, order = await begin_completion(attempt)
    parcel = Parcel(order_id=order.id)
    session.add(parcel)
    order.status = "shipped"
    await session.flush()  # for the number of the parcel
    return f"parcel {parcel.number}"


async def begin_completion(attempt: otelq.Attempt[str]) -> tuple[AsyncSession, Order]:
    """
    Begin the transaction that commits with the end of the job, and lock the order.

    The route that cancels locks in the same sequence, the order before its job, so that the two cannot deadlock.
    """
    session = await attempt.completion(AsyncSession)
    return session, await session.get_one(Order, attempt.input, with_for_update=True)


async def pack(order: Order) -> None:
    """Take a while, and stop when the order is cancelled or the worker stops."""
    logger.info("packing order %s", order.id)
    try:
        await asyncio.sleep(0.05 * order.quantity)
    except asyncio.CancelledError:
        logger.info("stopped packing order %s", order.id)
        raise
