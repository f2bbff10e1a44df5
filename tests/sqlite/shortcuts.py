"""Short ways to say what the tests of this folder say often."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from itertools import count
from typing import Any, TypeVar

from uuid_utils import uuid7

from otelq.model import Claimed, ClaimRequest, Completes, NewJob, Outcome, Settled, Settlement
from otelq.ports.state import StateAdapter, Transaction

T = TypeVar("T")

_tokens = count(1)


def job(type: str = "a", **fields: Any) -> NewJob:
    return NewJob(chain_id=str(uuid7()), type=type, input=fields.pop("input", "1"), **fields)


async def start(state: StateAdapter, type: str = "a", *, tx: Transaction | None = None, **fields: Any) -> str:
    new = job(type, **fields)
    await state.create([new], tx=tx)
    return new.chain_id


async def lease(state: StateAdapter, type: str = "a", *, limit: int = 1, seconds: float = 30.0) -> list[Claimed]:
    wanted = ClaimRequest(type=type, limit=limit, lease=seconds)
    claimed, _ = await state.claim([wanted], worker="w", token=next(_tokens))
    return list(claimed)


async def settle(state: StateAdapter, *jobs: Claimed, outcome: Outcome | None = None) -> Settled:
    return await state.settle([Settlement(job, outcome or Completes("null"), "w") for job in jobs])


async def count_jobs(state: StateAdapter, *chains: str) -> int:
    return len(await state.outcomes(chains))


def elsewhere(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Do something in a task that was not started by this one."""
    return asyncio.get_running_loop().create_task(work, context=Context())
