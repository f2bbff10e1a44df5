"""Health probes get a true answer, also while a handler blocks the event loop, and while the worker stops."""

from __future__ import annotations

import http.client
import json
import threading
from pathlib import Path

import pytest
from psycopg import sql

import otelq
from otelq.cli.health import Address, answering
from otelq.cli.main import run
from otelq.errors import OtelqError
from otelq.worker import WorkerHealth, keeper

from ..behaviour.support import until
from ..servers import PostgresServer
from .shell import read_until, started

ANYWHERE = Address("127.0.0.1", 0)

jobs = otelq.Jobs()


@jobs.job("block", lease=1.0)
async def block(attempt: otelq.Attempt[float]) -> None:
    blocking.set()
    released.wait()  # the handler blocks the event loop, as a wrong one would


blocking = threading.Event()
released = threading.Event()


def ask(address: Address, path: str, method: str = "GET") -> tuple[int, dict[str, object]]:
    connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=30)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        body = answer.read()
        return answer.status, json.loads(body) if body else {}
    finally:
        connection.close()


@pytest.mark.parametrize(
    "health, live, ready",
    [
        (WorkerHealth(), 200, 200),
        (WorkerHealth(ready=False, problem="it is stopping"), 200, 503),
        (WorkerHealth(live=False, ready=False, problem="the event loop has stalled"), 503, 503),
    ],
)
def test_a_probe_gets_the_state_and_the_reason(health: WorkerHealth, live: int, ready: int) -> None:
    state = {"live": health.live, "ready": health.ready, "why": health.problem}
    with answering(ANYWHERE, lambda: health) as address:
        assert ask(address, "/live") == (live, state)
        assert ask(address, "/ready") == (ready, state)
        assert ask(address, "/ready", "HEAD") == (ready, {})


def test_other_requests_get_an_error() -> None:
    with answering(ANYWHERE, WorkerHealth) as address:
        assert ask(address, "/") == (404, {"error": "there are /live and /ready"})
        with pytest.raises(json.JSONDecodeError):
            ask(address, "/live", "POST")


def test_a_password_in_a_reason_is_hidden() -> None:
    with answering(
        ANYWHERE, lambda: WorkerHealth(ready=False, problem="postgresql://ada:s3cret@db is away")
    ) as address:
        assert ask(address, "/ready")[1]["why"] == "postgresql://ada:***@db is away"


def test_a_port_that_is_taken_is_an_error_that_names_it() -> None:
    with (
        answering(ANYWHERE, WorkerHealth) as address,
        pytest.raises(OtelqError, match=rf"cannot answer health probes at {address}: Address already in use"),
        answering(address, WorkerHealth),
    ):
        pass


@pytest.mark.parametrize("given", ["", "web", "70000", "::1:8080", "localhost:", "1.5"])
def test_an_address_of_another_form_is_refused(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["worker", "shop:jobs", "--health", given]) == 2
    assert f"{given!r} is no [HOST:]PORT; give one such as 8080" in capsys.readouterr().err


async def test_a_worker_is_ready_from_its_first_search_until_it_stops(sqlite_url: str) -> None:
    async with otelq.connect(sqlite_url) as client:
        worker = otelq.Worker(client, jobs)
        assert worker.health == WorkerHealth(ready=False, problem="it does not run")
        async with worker:
            await until(lambda: worker.health == WorkerHealth())
        assert not worker.health.ready


async def test_a_worker_is_not_ready_while_its_database_is_away(postgres18: PostgresServer) -> None:
    url = postgres18.create_migrated_database()
    async with otelq.connect(url, notify=None) as client, otelq.Worker(client, jobs, poll_interval=0.01) as worker:
        await until(lambda: worker.health.ready)
        close(postgres18, url)
        await until(lambda: not worker.health.ready)
        assert worker.health.live
        assert "Unavailable" in worker.health.problem
        reopen(postgres18, url)
        await until(lambda: worker.health.ready)
    postgres18.drop_database(url)


def close(server: PostgresServer, url: str) -> None:
    """Take a database away from its clients."""
    name = url.rpartition("/")[2]
    server.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name)))
    statement = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {}"
    server.execute(sql.SQL(statement).format(sql.Literal(name)))


def reopen(server: PostgresServer, url: str) -> None:
    name = url.rpartition("/")[2]
    server.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(sql.Identifier(name)))


async def test_a_worker_is_not_live_once_a_handler_has_stalled_it(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "MAX_STALL", 1)
    blocking.clear()
    released.clear()
    found: list[WorkerHealth] = []

    def probe(worker: otelq.Worker) -> None:
        blocking.wait(30)
        found.append(worker.health)
        while worker.health.live:
            blocking.wait(0.01)
        found.append(worker.health)
        released.set()

    async with otelq.connect(sqlite_url) as client, otelq.Worker(client, jobs) as worker:
        await until(lambda: worker.health.ready)
        thread = threading.Thread(target=probe, args=[worker])
        thread.start()
        await client.start(block, 0.0)
        await until(released.is_set)
        thread.join()
        assert found == [WorkerHealth(), WorkerHealth(live=False, ready=False, problem="the event loop has stalled")]
        await until(lambda: worker.health.live)


SHOP = """
import asyncio, os, otelq

jobs = otelq.Jobs()


@jobs.job("linger")
async def linger(attempt: otelq.Attempt[None]) -> None:
    print("lingering", flush=True)
    while not os.path.exists("finish"):
        await asyncio.sleep(0.01)
"""


@pytest.mark.parametrize("processes", [(), ("--processes", "1")])
async def test_the_command_answers_probes_through_a_stop(
    processes: tuple[str, ...], sqlite_url: str, tmp_path: Path
) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    linger = otelq.JobType("linger", input=type(None), output=type(None))
    command = ["otelq", "worker", "shop:jobs", "--url", sqlite_url, "--health", "127.0.0.1:0", *processes]
    async with otelq.connect(sqlite_url) as client:
        await client.start(linger, None)
        with started(command, folder=tmp_path) as worker:
            port = read_until(worker, "health is answered").rpartition("127.0.0.1:")[2].partition(",")[0]
            address = Address("127.0.0.1", int(port))
            read_until(worker, "lingering")
            await until(lambda: ask(address, "/ready")[0] == 200)
            worker.terminate()
            read_until(worker, "stops; 1 attempts")
            assert ask(address, "/ready") == (503, {"live": True, "ready": False, "why": "it is stopping"})
            assert ask(address, "/live")[0] == 200
            (tmp_path / "finish").touch()
            assert worker.wait() == 0
