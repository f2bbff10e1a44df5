"""A client whose tables are audited, and which reports to an SDK in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

import otelq
from otelq_verify.audit import install
from tests.conftest import StartServer
from tests.telemetry.sdk import Sdk

AUDITED = ["sqlite", "postgres18"]


@pytest.fixture
def sdk() -> Iterator[Sdk]:
    """Providers in memory, shut down afterwards."""
    sdk = Sdk()
    yield sdk
    sdk.shutdown()


@pytest.fixture(params=AUDITED)
def audited_url(request: pytest.FixtureRequest, tmp_path: Path, postgres_server: StartServer) -> Iterator[str]:
    """The URL of a fresh, empty database of each kind that can be audited."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/otelq.db"
        return
    server = postgres_server(18)
    url = server.create_migrated_database()
    yield url
    server.drop_database(url)


@pytest.fixture
async def client(audited_url: str, sdk: Sdk) -> AsyncIterator[otelq.Client]:
    """An open client of that database, with the audit installed."""
    async with otelq.connect(audited_url, tracer_provider=sdk.tracers, meter_provider=sdk.meters) as client:
        await install(client)
        yield client
