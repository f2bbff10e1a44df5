"""The matrix of backends, and how hostile the test run is.

`backend` is the URL of a fresh database without jobs, once per backend. To choose among them:

    @pytest.mark.parametrize("backend", ["sqlite", "postgres18"], indirect=True)

A test that is marked `verify` is too long for every change, or tries on one more server what others try on two: it
runs in `make verify`, or with `--verify`.

In CI a backend that is missing is an error; elsewhere its tests are skipped and say why.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import hypothesis
import pytest
from _pytest.mark import ParameterSet

import otelq

from . import servers
from .servers import PostgresServer

IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}

# PostgreSQL 15 joins where it is asked for: by a DSN, or by any other value for the one of the machine.
POSTGRES = {"postgres18": 18, "postgres16": 16}
if os.environ.get("OTELQ_TEST_POSTGRES_15"):
    POSTGRES["postgres15"] = 15
LATEST = "postgres18"


def marks_of(backend: str) -> list[pytest.MarkDecorator]:
    """Return the marks of a test on this backend: one on a PostgreSQL before the latest waits for `make verify`.

    What differs between versions is SQL, which the conformance kit and the schema's own tests run on all of them.
    """
    return [pytest.mark.verify] if backend in POSTGRES and backend != LATEST else []


def on_every(*backends: str) -> list[ParameterSet]:
    """Return parameters for a fixture that takes the names of backends."""
    return [pytest.param(backend, marks=marks_of(backend)) for backend in backends]


BACKENDS = on_every("sqlite", *POSTGRES)

hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
hypothesis.settings.load_profile("ci" if IN_CI else "local")


def pytest_configure() -> None:
    """Refuse to try a checkout where the installed package is meant."""
    if os.environ.get("OTELQ_TEST_INSTALLED"):
        assert "site-packages" in otelq.__file__, f"this is no installed otelq: {otelq.__file__}"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--verify`."""
    parser.addoption("--verify", action="store_true", help="run what is marked `verify` too")


COLLECTED = pytest.StashKey[list[pytest.Item]]()
"""All tests of the files that were asked for, before any is left out."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked `verify`, unless asked."""
    config.stash[COLLECTED] = list(items)
    if config.getoption("--verify"):
        return
    left_out = [item for item in items if item.get_closest_marker("verify")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not item.get_closest_marker("verify")]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """The tests wait for servers, processes and locks more than they compute."""
    return 2 * (os.cpu_count() or 1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a test that skips itself has failed: whatever it needs is there, or its absence is the news."""
    report = yield
    # Tests of unfit text say lone surrogates, which no channel between processes carries.
    report.sections = [(title, _sayable(said)) for title, said in report.sections]
    if IN_CI and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"
    return report


def _sayable(said: str) -> str:
    return said.encode(errors="backslashreplace").decode()


class StartServer(Protocol):
    def __call__(self, version: int) -> PostgresServer: ...


@pytest.fixture(autouse=True)
def _all_log_lines() -> None:  # pyright: ignore[reportUnusedFunction]  # used by every test
    """A command that an earlier test ran in this process may have made loggers quiet."""
    logging.getLogger().setLevel(logging.WARNING)
    for name in [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == "otelq"]:
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[StartServer]:
    """Start, or hand out again, the one server of a version that this run shares.

    Never stop it; take a fresh database. A test that stops a server starts one for itself,
    with `servers.postgres(18, durable=True)`.
    """
    with ExitStack() as running:
        started: dict[int, PostgresServer] = {}

        def start(version: int) -> PostgresServer:
            if version not in started:
                try:
                    started[version] = running.enter_context(servers.postgres(version))
                except servers.ServerMissing as missing:
                    if IN_CI:
                        raise
                    pytest.skip(str(missing))
            return started[version]

        yield start


@pytest.fixture(scope="session")
def postgres18(postgres_server: StartServer) -> PostgresServer:
    """The shared PostgreSQL 18."""
    return postgres_server(18)


@pytest.fixture(scope="session")
def postgres16(postgres_server: StartServer) -> PostgresServer:
    """The shared PostgreSQL 16."""
    return postgres_server(16)


@pytest.fixture(params=on_every(*POSTGRES))
def postgres_url(request: pytest.FixtureRequest, postgres_server: StartServer) -> Iterator[str]:
    """The URL of a fresh PostgreSQL database with otelq's tables and no jobs, once per version."""
    server = postgres_server(POSTGRES[request.param])
    url = server.create_migrated_database()
    yield url
    server.drop_database(url)


@pytest.fixture(params=POSTGRES)
def empty_postgres_url(request: pytest.FixtureRequest, postgres_server: StartServer) -> Iterator[str]:
    """The URL of a fresh PostgreSQL database without any tables, once per version."""
    server = postgres_server(POSTGRES[request.param])
    url = server.create_database()
    yield url
    server.drop_database(url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path}/otelq.db"


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, postgres_server: StartServer, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh database without jobs, once per backend; on PostgreSQL otelq's tables are there already."""
    match request.param:
        case "memory":  # for what users see of it; as a store it is that of SQLite
            yield "memory://"
        case "sqlite":
            yield f"sqlite:///{tmp_path}/otelq.db"
        case name:
            server = postgres_server(POSTGRES[name])
            url = server.create_migrated_database()
            yield url
            server.drop_database(url)


@pytest.fixture(scope="session")
def wait_until() -> Callable[[Callable[[], bool]], None]:
    """Wait for a condition outside this process; the test's own timeout bounds the wait."""

    def wait(condition: Callable[[], bool]) -> None:
        while not condition():
            time.sleep(0.01)

    return wait
