"""Short ways to say what the tests of this folder say often."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from uuid_utils import uuid7

from otelq.model import Claimed, ClaimRequest, Completes, NewJob, Outcome, Settled, Settlement, Status, Transition, Verb
from otelq.ports.state import StateAdapter, Transaction

_tokens = count(1)


def job(type: str = "a", **fields: Any) -> NewJob:
    return NewJob(chain_id=str(uuid7()), type=type, input=fields.pop("input", "1"), **fields)


async def start(state: StateAdapter, type: str = "a", *, tx: Transaction | None = None, **fields: Any) -> str:
    new = job(type, **fields)
    await state.create([new], tx=tx)
    return new.chain_id


async def lease(state: StateAdapter, type: str = "a", *, limit: int = 1, seconds: float = 30.0) -> list[Claimed]:
    claimed, _ = await state.claim([wanted(type, limit=limit, seconds=seconds)], worker="w", token=next(_tokens))
    return list(claimed)


def wanted(type: str = "a", *, limit: int = 1, seconds: float = 30.0) -> ClaimRequest:
    return ClaimRequest(type=type, limit=limit, lease=seconds)


async def settle(
    state: StateAdapter, jobs: Sequence[Claimed], outcome: Outcome | None = None, *, tx: Transaction | None = None
) -> Settled:
    outcomes = [Settlement(each, outcome or Completes("null"), "w") for each in jobs]
    return await state.settle(outcomes, tx=tx)


async def status(state: StateAdapter, chain_id: str) -> Status:
    return (await state.outcomes([chain_id]))[chain_id].status


def verbs(transitions: Sequence[Transition], chain_id: str | None = None) -> list[Verb]:
    return [made.verb for made in transitions if chain_id in (None, made.chain_id)]
