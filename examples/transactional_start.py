"""
Start a job in the transaction that writes its row: both are committed, or neither.

Needs PostgreSQL; ``OTELQ_URL`` names the database. Prints::

    refused: 0 invoices, 0 jobs
    accepted: 1 invoices, 1 jobs
    done: F-2 is printed
"""

import asyncio
import os
from dataclasses import dataclass

import asyncpg

import otelq


@dataclass(frozen=True)
class Invoice:
    number: str
    total: int


jobs = otelq.Jobs()


@jobs.job("invoice.print")
async def print_invoice(attempt: otelq.Attempt[Invoice]) -> str:
    return f"{attempt.input.number} is printed"


async def bill(client: otelq.Client, connection: asyncpg.Connection, invoice: Invoice) -> otelq.Chain[str]:
    """Write an invoice and start its job; raise if there is nothing to pay."""
    async with connection.transaction():
        await connection.execute("INSERT INTO invoices VALUES ($1, $2)", invoice.number, invoice.total)
        chain = await client.start(print_invoice, invoice, tx=connection)
        if invoice.total <= 0:
            raise ValueError("there is nothing to pay")
        return chain


async def counted(client: otelq.Client, connection: asyncpg.Connection) -> str:
    """Return the committed numbers of invoices and jobs as text."""
    started = await client.jobs(type=print_invoice, status="open")
    return f"{await connection.fetchval('SELECT count(*) FROM invoices')} invoices, {len(started.items)} jobs"


async def main() -> None:
    url = os.environ["OTELQ_URL"]
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TEMPORARY TABLE invoices (number text, total int)")
    async with otelq.connect(url, schema="example") as client:
        try:
            await bill(client, connection, Invoice("F-1", 0))
        except ValueError:
            print("refused:", await counted(client, connection))
        chain = await bill(client, connection, Invoice("F-2", 120))
        print("accepted:", await counted(client, connection))
        async with otelq.Worker(client, jobs):
            print("done:", await client.result(chain, timeout=10))
    await connection.close()


if __name__ == "__main__":
    asyncio.run(main())
