"""
Fan out, then fan in: a summary runs once every chapter has been counted.

Runs on ``memory://``, or on the database that ``OTELQ_URL`` names. Prints::

    the summary is blocked by 3 chains
    9 words in 3 chapters
"""

import asyncio
import os

import otelq

CHAPTERS = ["It was a dark night", "Nobody came", "The end"]

jobs = otelq.Jobs()


@jobs.job("chapter.count")
async def count(attempt: otelq.Attempt[str]) -> int:
    return len(attempt.input.split())


@jobs.job("book.summarise")
async def summarise(attempt: otelq.Attempt[None]) -> str:
    words = attempt.blockers(count)  # list[int], in the order in which the blockers were given
    return f"{sum(words)} words in {len(words)} chapters"


async def main() -> None:
    async with otelq.connect(os.environ.get("OTELQ_URL", "memory://")) as client:
        chapters = await client.start_many(count, CHAPTERS)
        summary = await client.start(summarise, None, blockers=chapters)
        state = await client.chain(summary)
        print(f"the summary is {state.tail.status} by {state.tail.blocked_by} chains")
        async with otelq.Worker(client, jobs):
            print(await client.result(summary, timeout=10))


if __name__ == "__main__":
    asyncio.run(main())
