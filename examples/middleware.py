"""
Run middleware around every start and every attempt, so that each job knows its tenant without an argument for it.

One middleware runs around starts and adds the tenant of the request. Another runs around attempts: it provides the
tenant's settings to handlers, and prints the outcome of each attempt. Runs on ``memory://``, or on the database that
``OTELQ_URL`` names. Prints::

    mail.write (acme): done
    mail.send (acme): TimeoutError, the server is busy
    mail.send (acme): done
    sent to Ada, signed by Acme Inc.
    2 jobs for acme
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import otelq

tenant_of_request = ContextVar[str]("tenant_of_request")


@dataclass(frozen=True)
class Settings:
    signature: str


SETTINGS = {"acme": Settings("Acme Inc.")}


class StampsTenant(otelq.Middleware):
    """Add the tenant of the current request to every start."""

    async def start(
        self,
        starts: Sequence[otelq.Start[Any]],
        call: Callable[[Sequence[otelq.Start[Any]]], Awaitable[list[otelq.Chain[Any]]]],
    ) -> list[otelq.Chain[Any]]:
        return await call([start.with_meta(tenant=tenant_of_request.get()) for start in starts])


class KnowsTenant(otelq.Middleware):
    """Provide ``Settings`` to handlers, and print their outputs and errors."""

    async def attempt(self, attempt: otelq.Attempt[Any], call: Callable[[otelq.Attempt[Any]], Awaitable[Any]]) -> Any:
        attempt.provide(SETTINGS[attempt.tenant or ""])
        try:
            result = await call(attempt)
        except Exception as error:
            print(f"{attempt.type} ({attempt.tenant}): {type(error).__name__}, {error}")
            raise
        print(f"{attempt.type} ({attempt.tenant}): done")
        return result


jobs = otelq.Jobs(middleware=[KnowsTenant()])


@jobs.job("mail.write")
async def write(attempt: otelq.Attempt[str]) -> otelq.Continue[str]:
    return attempt.continue_with(send, f"Dear {attempt.input},")


@jobs.job("mail.send", entry=False, retry=otelq.RetryPolicy(initial=0.05))
async def send(attempt: otelq.Attempt[str]) -> str:
    if attempt.number == 1:
        raise TimeoutError("the server is busy")
    name = attempt.input.removeprefix("Dear ").rstrip(",")
    return f"sent to {name}, signed by {attempt.get(Settings).signature}"


async def main() -> None:
    url = os.environ.get("OTELQ_URL", "memory://")
    async with otelq.connect(url, middleware=[StampsTenant()]) as client:
        tenant_of_request.set("acme")
        chain = await client.start(write, "Ada")
        async with otelq.Worker(client, jobs):
            print(await client.result(chain, timeout=10))
        counted = await client.count(tenant="acme")
        print(f"{counted.number} jobs for acme")


if __name__ == "__main__":
    asyncio.run(main())
