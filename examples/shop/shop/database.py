"""The shop's tables, and its connections: one engine for its own rows and for the jobs."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from sqlalchemy import ForeignKey
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import otelq

NAMED = {"server_settings": {"application_name": "shop"}}
"""Names the connections in ``pg_stat_activity``."""

Sessions = async_sessionmaker[AsyncSession]


class Base(DeclarativeBase):
    pass


class Product(Base):
    __tablename__ = "products"

    name: Mapped[str] = mapped_column(primary_key=True)
    cents: Mapped[int]
    stock: Mapped[int]


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[str] = mapped_column(primary_key=True)
    item: Mapped[str] = mapped_column(ForeignKey("products.name"))
    quantity: Mapped[int]
    card: Mapped[str]
    chain: Mapped[str] = mapped_column(unique=True)
    status: Mapped[str] = mapped_column(default="placed")
    receipt: Mapped[str | None]


class Parcel(Base):
    __tablename__ = "parcels"

    number: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[str] = mapped_column(ForeignKey("orders.id"))


@asynccontextmanager
async def connected(*, migrate: bool = False) -> AsyncGenerator[tuple[Sessions, otelq.Client]]:
    """Yield the factory of sessions and an open client; raise if the tables of otelq are not up to date."""
    engine = create_async_engine(os.environ["DATABASE_URL"], connect_args=NAMED)
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    try:
        if migrate:
            async with engine.begin() as connection:
                await connection.run_sync(Base.metadata.create_all)
        async with otelq.connect(engine, session=sessions, migrate=migrate) as client:
            yield sessions, client
    finally:
        await engine.dispose()
