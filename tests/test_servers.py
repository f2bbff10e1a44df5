"""The harness itself: what other tests take for granted about their servers."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import psycopg
import pytest

from . import servers
from .servers import PostgresServer


def value(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
        assert row is not None
        return row[0]


def test_each_version_is_the_one_asked_for(postgres18: PostgresServer, postgres16: PostgresServer) -> None:
    for server in (postgres18, postgres16):
        assert str(value(server.dsn(), "SHOW server_version_num")).startswith(str(server.version))


def test_a_database_is_fresh_and_its_clone_is_not(postgres18: PostgresServer) -> None:
    original = postgres18.create_database("original")
    postgres18.execute("CREATE TABLE kept (n int)", database="original")
    clone = postgres18.create_database(template="original")
    assert value(clone, "SELECT count(*) FROM kept") == 0
    postgres18.drop_database(original)
    postgres18.drop_database(clone)
    assert value(postgres18.dsn(), "SELECT count(*) FROM pg_database WHERE datname = 'original'") == 0


def test_a_durable_server_keeps_its_data_and_port_through_a_crash() -> None:
    with servers.postgres(18, durable=True) as server:
        url = server.create_database()
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS n")
        server.restart("immediate")
        assert value(url, "SELECT n FROM kept") == 42
        assert value(url, "SHOW fsync") == "on"


def test_a_dsn_replaces_the_server_and_cannot_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTELQ_TEST_POSTGRES_18", "postgresql://me:secret@db.example/first?sslmode=disable")
    with servers.postgres(18) as server:
        assert server.dsn("second") == "postgresql://me:secret@db.example/second?sslmode=disable"
        with pytest.raises(RuntimeError, match="only its owner"):
            server.stop()


def test_a_version_that_nobody_has_is_reported_as_missing() -> None:
    with pytest.raises(servers.ServerMissing, match="OTELQ_TEST_POSTGRES_9"), servers.postgres(9):
        pass


def test_no_server_survives_an_owner_that_is_killed(wait_until: Callable[[Callable[[], bool]], None]) -> None:
    owner = """
        from tests import servers
        with servers.postgres(18) as server:
            print(server.cluster.directory, server.cluster.process.pid, flush=True)
            input()
    """
    with subprocess.Popen(
        [sys.executable, "-c", dedent(owner)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        directory, postmaster = process.stdout.readline().split()
        assert Path(directory).exists()
        os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: not Path(directory).exists())
    assert not Path(f"/proc/{postmaster}/exe").exists()
