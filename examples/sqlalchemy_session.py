"""
Start and complete jobs in the transactions of SQLAlchemy sessions, with the application's own engine underneath.

Needs otelq's extra ``sqlalchemy``. Runs on ``example.db`` in the current folder, or on the SQLite file or the
PostgreSQL that ``OTELQ_URL`` names. Prints::

    refused: 0 invoices, 0 jobs
    accepted: 1 invoices, 1 jobs
    done: F-2 is paid
    in the table: F-2 paid=True
"""

import asyncio
import os

from sqlalchemy import func, make_url, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import otelq

DRIVERS = {"postgresql": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}


class Base(DeclarativeBase):
    pass


class Invoice(Base):
    __tablename__ = "invoices"

    number: Mapped[str] = mapped_column(primary_key=True)
    total: Mapped[int]
    paid: Mapped[bool] = mapped_column(default=False)


jobs = otelq.Jobs()


@jobs.job("invoice.collect")
async def collect(attempt: otelq.Attempt[str]) -> str:
    session = await attempt.completion(AsyncSession)  # commits when the handler has returned, with the job
    invoice = await session.get_one(Invoice, attempt.input)
    invoice.paid = True
    return f"{invoice.number} is paid"


async def bill(client: otelq.Client, session: AsyncSession, invoice: Invoice) -> otelq.Chain[str]:
    """Add an invoice and start its job; raise if there is nothing to pay."""
    session.add(invoice)
    chain = await client.start(collect, invoice.number, tx=session)
    if invoice.total <= 0:
        raise ValueError("there is nothing to pay")
    return chain


async def counted(client: otelq.Client, session: AsyncSession) -> str:
    """Return the committed numbers of invoices and jobs as text."""
    jobs = await client.count(type=collect)
    return f"{await session.scalar(select(func.count()).select_from(Invoice))} invoices, {jobs.number} jobs"


async def main() -> None:
    url = make_url(os.environ.get("OTELQ_URL", "sqlite:///example.db"))
    engine = create_async_engine(url.set(drivername=DRIVERS[url.drivername]))
    sessions = async_sessionmaker(engine)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
        await connection.run_sync(Base.metadata.create_all)

    async with otelq.connect(engine, session=sessions, schema="example") as client:
        try:
            async with sessions.begin() as session:
                await bill(client, session, Invoice(number="F-1", total=0))
        except ValueError:
            async with sessions() as session:
                print("refused:", await counted(client, session))

        async with sessions.begin() as session:
            chain = await bill(client, session, Invoice(number="F-2", total=120))
        async with sessions() as session:
            print("accepted:", await counted(client, session))

        async with otelq.Worker(client, jobs):
            print("done:", await client.result(chain, timeout=10))
        async with sessions() as session:
            invoice = await session.get_one(Invoice, "F-2")
            print(f"in the table: {invoice.number} paid={invoice.paid}")
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(main())
