"""
Pydantic models as payloads, encrypted in the database, with a key that is rotated.

Needs otelq's extras ``pydantic`` and ``encryption``. Runs on ``example.db`` in the current folder, or on the
database that ``OTELQ_URL`` names, except ``memory://``, which two clients cannot share. Prints::

    refused: input: does not fit Patient: born: is not of the type that it declares
    stored: {"data": "…", "key": "2026-01", "otelq:enc": 1}
    read: Ada was born on 1815-12-10
    stored from now on under: 2026-11
    read all the same: Ada was born on 1815-12-10
"""

import asyncio
import json
import os
from datetime import date
from typing import Any

from pydantic import BaseModel

import otelq


class Patient(BaseModel):
    name: str
    born: date


jobs = otelq.Jobs()


@jobs.job("patient.describe")
async def describe(attempt: otelq.Attempt[Patient]) -> str:
    return f"{attempt.input.name} was born on {attempt.input.born}"


OLD, NEW = os.urandom(32), os.urandom(32)  # in an application: from where it keeps its secrets
BEFORE = otelq.Encryption({"2026-01": OLD})
AFTER = otelq.Encryption({"2026-11": NEW, "2026-01": OLD}, use="2026-11")  # reads both, writes with the new one


def envelope(stored: str) -> dict[str, Any]:
    """Return the stored form of a payload."""
    found: dict[str, Any] = json.loads(stored)
    return found


async def main() -> None:
    url = os.environ.get("OTELQ_URL", "sqlite:///example.db")
    async with otelq.connect(url, codec=BEFORE) as client:
        try:
            await client.start(describe, Patient.model_construct(name="Ada", born="1815"))
        except otelq.InvalidArgument as error:
            print("refused:", error)
        chain = await client.start(describe, Patient(name="Ada", born=date(1815, 12, 10)))
        head = (await client.chain(chain)).head
        print("stored:", json.dumps(envelope(head.input) | {"data": "…"}, ensure_ascii=False, sort_keys=True))
        async with otelq.Worker(client, jobs):
            print("read:", await client.result(chain, timeout=10))

    async with otelq.connect(url, codec=AFTER) as client:
        another = await client.start(describe, Patient(name="Eve", born=date(2000, 2, 29)))
        print("stored from now on under:", envelope((await client.chain(another)).head.input)["key"])
        print("read all the same:", await client.result(chain, timeout=10))


if __name__ == "__main__":
    asyncio.run(main())
