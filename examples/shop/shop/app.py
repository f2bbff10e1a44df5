"""The web application, which places, shows and cancels orders; and the worker of ``otelq worker shop.app:worker``."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from opentelemetry import trace
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

import otelq

from .database import Order, Product, Sessions, connected
from .jobs import charge, jobs

A_DAY = 86_400.0


class NewOrder(BaseModel):
    item: str
    card: str
    quantity: int = Field(default=1, ge=1, le=1000)


class PlacedOrder(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: str
    item: str
    quantity: int
    status: str


class Step(BaseModel):
    """The job that an order is at."""

    type: str
    status: otelq.Status
    attempt: int
    error: str | None


class OrderProgress(PlacedOrder):
    step: Step


@asynccontextmanager
async def worker() -> AsyncGenerator[otelq.Worker]:
    async with connected() as (_, client):
        # Of the 30 seconds between SIGTERM and SIGKILL, 10 are left to cancel attempts and to store their outcomes.
        yield otelq.Worker(client, jobs, concurrency=20, grace=20)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncGenerator[dict[str, Any]]:
    async with connected() as (sessions, client):
        yield {"sessions": sessions, "client": client}
    # uvicorn ends by the signal that stopped it, so Python runs no exit handlers, and the SDK must send its spans here.
    if flush := getattr(trace.get_tracer_provider(), "force_flush", None):
        flush()


async def transaction(request: Request) -> AsyncGenerator[AsyncSession]:
    """Yield a session that commits when the route returns, before the response is sent, or rolls back if it raises."""
    sessions: Sessions = request.state.sessions
    async with sessions.begin() as session:
        yield session


def client_of(request: Request) -> otelq.Client:
    client: otelq.Client = request.state.client
    return client


Session = Annotated[AsyncSession, Depends(transaction, scope="function")]
Client = Annotated[otelq.Client, Depends(client_of)]

app = FastAPI(title="otelq shop", lifespan=lifespan)


@app.post("/orders", status_code=201)
async def place(
    new: NewOrder,
    response: Response,
    session: Session,
    client: Client,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> PlacedOrder:
    """Store an order and start its chain, or return the order that has the same Idempotency-Key."""
    order = Order(id=otelq.new_id(), item=new.item, quantity=new.quantity, card=new.card, status="placed")
    dedup = otelq.Dedup(idempotency_key, scope="any", window=A_DAY) if idempotency_key else None
    chain = await client.start(charge, order.id, tx=session, dedup=dedup)
    if chain.deduplicated:
        response.status_code = 200
        return PlacedOrder.model_validate(await session.scalar(select(Order).where(Order.chain == chain.id)))
    order.chain = chain.id
    session.add(order)
    try:
        await session.flush()
    except IntegrityError:
        raise HTTPException(422, f"the shop sells no {new.item}") from None  # the chain is rolled back with the order
    return PlacedOrder.model_validate(order)


@app.get("/orders/{id}")
async def show(id: str, request: Request, client: Client) -> OrderProgress:
    """Return an order, and the job that it is at."""
    sessions: Sessions = request.state.sessions
    async with sessions() as session:  # given back before the client takes a connection of the same pool
        order = await session.get(Order, id)
    if order is None:
        raise HTTPException(404, "there is no such order")
    job = (await client.chain(order.chain)).tail
    error = job.failure.text.splitlines()[0] if job.failure else None
    step = Step(type=job.type, status=job.status, attempt=job.attempt, error=error)
    return OrderProgress(**PlacedOrder.model_validate(order).model_dump(), step=step)


@app.post("/orders/{id}/cancel")
async def cancel(id: str, session: Session, client: Client) -> PlacedOrder:
    """Cancel an order that has not been shipped; a worker that packs it stops."""
    order = await session.get(Order, id, with_for_update=True)
    if order is None:
        raise HTTPException(404, "there is no such order")
    try:
        await client.cancel(order.chain, tx=session)
    except otelq.JobAlreadyClosed:
        raise HTTPException(409, f"the order is {order.status}, and its work has ended") from None
    if order.status == "reserved":
        product = await session.get_one(Product, order.item, with_for_update=True)
        product.stock += order.quantity
    order.status = "cancelled"
    return PlacedOrder.model_validate(order)
