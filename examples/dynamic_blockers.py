"""
Wait for chains that the running handler starts: a crawl finds pages, starts a chain for each, and waits for them.

The job is blocked while it waits: it uses no slot of a worker and spends no attempt. Then it runs again from the start.
The dedup keys return the chains of the first run, so that a crash between a start and the wait fetches no page twice.
Runs on ``memory://``, or on the database that ``OTELQ_URL`` names. Prints::

    the crawl waits for 3 pages
    the crawl has all of them, in attempt 1
    / 5, /about 11, /contact 9
"""

import asyncio
import os

import otelq

SITE = {"/": "hello", "/about": "we are here", "/contact": "telephone"}

jobs = otelq.Jobs()


@jobs.job("page.fetch")
async def fetch(attempt: otelq.Attempt[str]) -> int:
    return len(SITE[attempt.input])


def page(path: str, attempt: otelq.Attempt[None]) -> otelq.Start[int]:
    """Return the start for a page, with a key that is the same in every run of this job."""
    return otelq.Start(fetch, path, dedup=otelq.Dedup(f"{attempt.job_id} {path}", scope="any"))


@jobs.job("site.crawl")
async def crawl(attempt: otelq.Attempt[None]) -> str:
    pages = await attempt.client.start_many([page(path, attempt) for path in SITE])
    sizes = attempt.blockers(fetch)  # of the pages that it has waited for, in order
    if len(sizes) < len(pages):
        print(f"the crawl waits for {len(pages)} pages")
        raise otelq.WaitFor(*pages)
    print(f"the crawl has all of them, in attempt {attempt.number}")
    return ", ".join(f"{path} {size}" for path, size in zip(SITE, sizes, strict=True))


async def main() -> None:
    async with otelq.connect(os.environ.get("OTELQ_URL", "memory://")) as client, otelq.Worker(client, jobs):
        print(await client.result(await client.start(crawl, None), timeout=10))


if __name__ == "__main__":
    asyncio.run(main())
