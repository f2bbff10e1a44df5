"""A real server for each notifier, and two clients of one PostgreSQL that hear each other by it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import pytest

import otelq

from .. import brokers
from ..brokers import Broker
from ..servers import PostgresServer, ServerMissing

KINDS = {
    "redis": brokers.redis,
    "redis-cluster": brokers.redis_cluster,
    "redis-sentinel": brokers.redis_sentinel,
    "nats": brokers.nats,
}


def _given(server: AbstractContextManager[Broker]) -> Iterator[Broker]:
    try:
        entered = server.__enter__()
    except ServerMissing as missing:
        pytest.fail(str(missing))  # both come with `make setup`
    try:
        yield entered
    finally:
        server.__exit__(None, None, None)


@pytest.fixture(scope="session", params=KINDS)
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """A server that a test leaves as it is."""
    yield from _given(KINDS[request.param]())


@pytest.fixture(params=["redis", "nats"])
def own_broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """A server that a test may break."""
    yield from _given(KINDS[request.param]())


@pytest.fixture
def database(postgres18: PostgresServer) -> Iterator[str]:
    """The URL of a fresh database."""
    url = postgres18.create_migrated_database()
    yield url
    postgres18.drop_database(url)


@dataclass
class Pair:
    """Two clients of one database, as in two processes."""

    near: otelq.Client
    far: otelq.Client


@pytest.fixture
async def pair(broker: Broker, database: str) -> AsyncIterator[Pair]:
    """Two clients that hear each other by a server that stays as it is."""
    async with (
        otelq.connect(database, notify=broker.url) as near,
        otelq.connect(database, notify=broker.url) as far,
    ):
        yield Pair(near, far)
