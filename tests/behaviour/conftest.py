"""An open client on every backend, and one in memory for what no database decides."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

import otelq


@pytest.fixture
async def client(backend: str) -> AsyncIterator[otelq.Client]:
    """A client of a fresh database, once per backend."""
    async with otelq.connect(backend) as client:
        yield client


@pytest.fixture
async def memory() -> AsyncIterator[otelq.Client]:
    """A client of a fresh store in memory."""
    async with otelq.connect("memory://") as client:
        yield client
