"""
Run heavy code in another process, which is ended at the timeout of its attempt.

The event loop of the worker stays free. The other process imports a handler by the name of its module, so a handler
cannot be defined in ``__main__``: this file imports itself under its own name. Runs on ``memory://``, or on the
database that ``OTELQ_URL`` names. Prints::

    in another process: True
    168 primes below 1,000
    the endless search was ended: the attempt took longer than 0.5 seconds
"""

import asyncio
import os

import otelq

jobs = otelq.Jobs()


@jobs.job("process.id", executor="process")
def process_id(attempt: otelq.Attempt[None]) -> int:
    return os.getpid()


@jobs.job("primes.count", executor="process")
def count_primes(attempt: otelq.Attempt[int]) -> int:
    return sum(all(number % divisor for divisor in range(2, number)) for number in range(2, attempt.input))


@jobs.job("primes.search", executor="process", timeout=0.5, retry=otelq.RetryPolicy(max_attempts=1))
def search_for_ever(attempt: otelq.Attempt[None]) -> int:
    number = 0
    while True:
        number += 1


async def main() -> None:
    async with otelq.connect(os.environ.get("OTELQ_URL", "memory://")) as client, otelq.Worker(client, jobs):
        pid = await client.result(await client.start(process_id, None), timeout=30)
        print("in another process:", pid != os.getpid())
        print(await client.result(await client.start(count_primes, 1_000), timeout=30), "primes below 1,000")

        try:
            await client.result(await client.start(search_for_ever, None), timeout=30)
        except otelq.ChainFailed as error:
            print("the endless search was ended:", error.reason.partition("\n")[0])


if __name__ == "__main__":
    import cpu_process

    asyncio.run(cpu_process.main())
