"""The end of a run: chains that wait for clients or for failed chains are moved on, until every chain has ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence
from contextlib import suppress

from otelq.client import Client
from otelq.errors import OtelqError
from otelq.model import ChainRecord, Status

from . import handlers

PAUSE = 0.25
"""Seconds between two looks at what is still open."""


async def drain(client: Client, *, patience: float) -> list[str]:
    """Move open chains on to their end; return the ids of those that did not end within ``patience`` seconds."""
    deadline = time.monotonic() + patience
    while True:
        try:
            left = [chain async for chain in client.iterate_chains(status="open")]
            if not left or time.monotonic() > deadline:
                return [chain.chain_id for chain in left]
            await _tend(client, left)
        except (OtelqError, OSError, TimeoutError):
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(PAUSE)


async def _tend(client: Client, chains: Sequence[ChainRecord]) -> None:
    for chain in chains:
        if chain.type == handlers.later.name and chain.tail.status is Status.SCHEDULED and chain.tail.attempt == 0:
            await _try(client.trigger(chain.chain_id))
        if chain.tail.status is Status.BLOCKED:
            await _redrive_blockers(client, chain)


async def _redrive_blockers(client: Client, chain: ChainRecord) -> None:
    """Redrive the failed blockers of a chain that waits on for them (``on_failure="wait"``)."""
    blockers = await client.blockers(chain.tail.id)
    if any(blocker.status.is_open for blocker in blockers):
        return
    for blocker in blockers:
        if blocker.status in (Status.FAILED, Status.CANCELLED):
            await _try(client.redrive(blocker.chain_id))


async def _try(change: Awaitable[None]) -> None:
    """Make a change; ignore an error, as an open chain may have moved on by itself."""
    with suppress(OtelqError):
        await change
