"""Data and workers of earlier code go on with the schema and the code of today."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import otelq
from otelq_verify.invariants import violations

from ..cli.shell import run
from ..conftest import StartServer
from .answers import answers, restricted
from .application import OPEN, WALK
from .definitions import definitions
from .fixtures import Fixture, fixtures
from .history import IDS, job_type
from .processes import worker_process

EXPIRES = "expired_unseen"
"""The kind of the open chains that can only expire."""


@pytest.fixture(params=["sqlite", "postgres18"])
def empty(request: pytest.FixtureRequest, postgres_server: StartServer, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/otelq.db"
        return
    server = postgres_server(18)
    url = server.create_database()
    yield url
    server.drop_database(url)


@pytest.fixture(params=fixtures(), ids=lambda fixture: fixture.folder.name)
def fixture(request: pytest.FixtureRequest) -> Fixture:
    """The data and the code of an earlier schema."""
    found: Fixture = request.param
    return found


@pytest.fixture
def url(fixture: Fixture, empty: str) -> str:
    """The URL of a database as it was then."""
    fixture.load(empty)
    return empty


async def test_a_client_answers_as_before(fixture: Fixture, url: str) -> None:
    then = fixture.answers(url)

    async with otelq.connect(url) as client:
        now = await answers(client)

    assert restricted(now, like=then) == then


async def test_a_database_that_was_migrated_has_the_schema_of_a_new_one(
    url: str, postgres_server: StartServer, tmp_path: Path
) -> None:
    fresh = f"sqlite:///{tmp_path}/fresh.db" if url.startswith("sqlite") else postgres_server(18).create_database()

    for one in (url, fresh):
        async with otelq.connect(one):
            pass

    assert await definitions(url) == await definitions(fresh)


async def test_workers_of_then_and_now_share_the_work_while_the_schema_is_migrated(
    fixture: Fixture, url: str, tmp_path: Path
) -> None:
    old_code = fixture.unpack_code(tmp_path / "then")
    async with worker_process(url, "then", code=old_code) as old:
        assert Path(old.code).is_relative_to(old_code)
        migration = asyncio.create_task(migrate(url, folder=tmp_path))
        while not migration.done():
            await old.start(WALK, [1] * 5)
        assert "up to date" in migration.result()
        assert "up to date" in await migrate("--check", url, folder=tmp_path)
        async with (
            worker_process(url, "now") as new,
            worker_process(url, "then, again", code=old_code) as restarted,
            otelq.connect(url, migrate=False) as client,
        ):
            assert new.code == otelq.__file__
            # Each starts chains for all workers, and one that only another worker serves.
            for one, other in ((old, "now"), (new, "then, again"), (restarted, "then")):
                await one.start(WALK, [3] * 20)
                await one.start(other, ["over to you"])
            await wake(client)
            outputs = {kind: await client.result(chain_of(kind)) for kind in OPEN if kind != EXPIRES}
            for chain in (*old.started, *new.started, *restarted.started):
                await client.result(chain)
            with pytest.raises(otelq.ChainCancelled):
                await client.result(chain_of(EXPIRES))
            log = await old.stop() + await new.stop() + await restarted.stop()

    ran = [job for job, _ in (*old.ran, *new.ran, *restarted.ran)]
    assert sorted(ran) == sorted(set(ran))
    assert outputs == inputs(fixture.answers(url))
    assert await violations(url, ledger="ledger") == []
    assert [line for line in log.splitlines() if not line.startswith("WARNING ")] == []


async def migrate(*arguments: str, folder: Path) -> str:
    """Return the output of ``otelq migrate``."""
    *options, url = arguments
    done = await asyncio.to_thread(run, "otelq", "migrate", *options, "--url", url, folder=folder)
    return done.stdout + done.stderr


async def wake(client: otelq.Client) -> None:
    """Make the chains due that are not, and end the lease of the worker that is gone."""
    later = await client.chains(status="scheduled", ids=list(IDS.values()))
    await client.trigger(*(chain.chain_id for chain in later.items))
    await client.take_over(chain_of("running"))
    await client.redrive(chain_of("failed"))


def chain_of(kind: str) -> otelq.Chain[Any]:
    return otelq.Chain(IDS[kind], job_type(kind))


def inputs(then: Any) -> dict[str, Any]:
    """Return the inputs of the open jobs, which their handlers return."""
    tails = {kind: then["jobs"][then["chains"][kind][2]] for kind in OPEN if kind != EXPIRES}
    return {kind: json.loads(job["amended_input"] or job["input"]) for kind, job in tails.items()}
