"""
Let a person complete a job: its type has no handler, so it waits until the application completes it.

Runs on ``memory://``, or on the database that ``OTELQ_URL`` names. Prints::

    waiting: leave.approve
    the second click comes too late: JobAlreadyClosed
    Ada: approved by Eve
"""

import asyncio
import os
from dataclasses import dataclass

import otelq


@dataclass(frozen=True)
class Leave:
    who: str
    days: int


# Declared without a handler: its jobs wait until the application closes them.
approve = otelq.JobType("leave.approve", input=Leave, output=str)


async def main() -> None:
    async with otelq.connect(os.environ.get("OTELQ_URL", "memory://")) as client:
        chain = await client.start(approve, Leave("Ada", 3))
        waiting = await client.jobs(type=approve, status="open")
        print("waiting:", waiting.items[0].type)
        await client.complete(chain, "approved by Eve", step=approve)
        try:
            await client.complete(chain, "refused by Bob", step=approve)
        except otelq.JobAlreadyClosed as error:
            print("the second click comes too late:", type(error).__name__)
        print("Ada:", await client.result(chain, timeout=10))


if __name__ == "__main__":
    asyncio.run(main())
