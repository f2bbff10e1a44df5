"""
Schedule jobs for later, then trigger one of them now and cancel another.

Runs on ``memory://``, or on the database that ``OTELQ_URL`` names. Prints::

    planned: 3 reminders
    soon: reminded Ada
    triggered: reminded Eve
    cancelled: ChainCancelled
"""

import asyncio
import os

import otelq

HOUR = 3600

jobs = otelq.Jobs()


@jobs.job("customer.remind")
async def remind(attempt: otelq.Attempt[str]) -> str:
    return f"reminded {attempt.input}"


async def main() -> None:
    async with otelq.connect(os.environ.get("OTELQ_URL", "memory://")) as client, otelq.Worker(client, jobs):
        soon = await client.start(remind, "Ada", delay=0.2)
        later = await client.start(remind, "Eve", delay=HOUR)
        never = await client.start(remind, "Bob", delay=24 * HOUR)
        planned = await client.jobs(type=remind, status="scheduled")
        print(f"planned: {len(planned.items)} reminders")

        await client.cancel(never)
        print("soon:", await client.result(soon, timeout=10))
        await client.trigger(later)
        print("triggered:", await client.result(later, timeout=10))
        try:
            await client.result(never, timeout=10)
        except otelq.ChainCancelled as error:
            print("cancelled:", type(error).__name__)


if __name__ == "__main__":
    asyncio.run(main())
