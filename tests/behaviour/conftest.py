"""An open client on every backend, and one on memory:// for what no database decides."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

import otelq
from tests.conftest import BACKENDS, POSTGRES, StartServer


@pytest.fixture(scope="session")
def postgres_database(postgres_server: StartServer) -> Iterator[Callable[[str], str]]:
    """One database of a PostgreSQL for all tests of behaviour: emptying it is quicker than making another."""
    urls: dict[str, str] = {}

    def database(name: str) -> str:
        if name not in urls:
            urls[name] = postgres_server(POSTGRES[name]).create_database()
        return urls[name]

    yield database
    for name, url in urls.items():
        postgres_server(POSTGRES[name]).drop_database(url)


@pytest.fixture(params=BACKENDS)
async def client(
    request: pytest.FixtureRequest, postgres_database: Callable[[str], str], tmp_path: Path
) -> AsyncIterator[otelq.Client]:
    """A client of an empty database, once per backend."""
    local = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/otelq.db" if local else postgres_database(request.param)
    async with otelq.connect(url) as client:
        if request.param in POSTGRES:
            await client.engine.state.truncate_all()
        yield client


@pytest.fixture
async def memory() -> AsyncIterator[otelq.Client]:
    """A client of a temporary store of its own."""
    async with otelq.connect("memory://") as client:
        yield client
