"""The proxy of torture runs misbehaves as told, and the adapter's deadlines end what a network leaves open."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

import otelq
from otelq_verify.torture.faults import Direct, Proxy, network_for
from otelq_verify.torture.faults.link import LinkConditions
from otelq_verify.torture.faults.messages import IDLE, Messages, is_commit
from otelq_verify.torture.faults.storms import BOTH
from tests.servers import PostgresServer

WaitUntil = Callable[[Callable[[], bool]], None]


@pytest.fixture
def proxy(postgres18: PostgresServer) -> Iterator[Proxy]:
    url = postgres18.create_migrated_database()
    with Proxy(url) as proxy:
        yield proxy
    postgres18.drop_database(url)


def sessions(proxy: Proxy) -> int:
    """How many sessions the server has for connections that came through the proxy, seen past it."""
    with psycopg.connect(proxy.target) as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        row = connection.execute(query).fetchone()
        assert row is not None
        return int(row[0])


def rows(proxy: Proxy) -> int:
    with psycopg.connect(proxy.target) as connection:
        row = connection.execute("SELECT count(*) FROM kept").fetchone()
        assert row is not None
        return int(row[0])


def opened(proxy: Proxy) -> psycopg.Connection:
    return psycopg.connect(proxy.url, autocommit=True)


def test_in_clear_weather_all_passes(proxy: Proxy) -> None:
    with opened(proxy) as connection:
        assert connection.execute("SELECT repeat('x', 300000)").fetchone() == ("x" * 300_000,)
        assert len(proxy.ports()) == 1
    assert not proxy.counts


def test_a_cut_resets_all_connections(proxy: Proxy) -> None:
    with opened(proxy) as one, opened(proxy) as other:
        assert proxy.cut() == 2
        for connection in (one, other):
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
    with opened(proxy) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_slow_network_is_late_both_ways(proxy: Proxy) -> None:
    with opened(proxy) as connection, proxy.under(LinkConditions(latency=0.1)):
        begun = time.monotonic()
        connection.execute("SELECT 1")
        assert time.monotonic() - begun >= 0.2


def test_a_trickle_comes_whole(proxy: Proxy) -> None:
    with opened(proxy) as connection, proxy.under(LinkConditions(piece=7)):
        assert connection.execute("SELECT repeat('x', 500)").fetchone() == ("x" * 500,)
    assert proxy.counts["pieces"] > 500 / 7


def test_refused_connections_are_reset(proxy: Proxy) -> None:
    with opened(proxy) as connection, proxy.under(LinkConditions(refusing=True)):
        with pytest.raises(psycopg.OperationalError):
            opened(proxy)
        assert connection.execute("SELECT 1").fetchone() == (1,), "what stood stands"


def test_a_lost_reply_leaves_what_was_done(proxy: Proxy) -> None:
    with opened(proxy) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        with proxy.under(LinkConditions(losing=1.0)), pytest.raises(psycopg.OperationalError):
            connection.execute("INSERT INTO kept VALUES (1)")
    assert rows(proxy) == 1
    assert proxy.counts["lost reply"] == 1


def test_a_connection_can_be_cut_when_its_commit_was_forwarded(proxy: Proxy, wait_until: WaitUntil) -> None:
    with opened(proxy) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        with proxy.under(LinkConditions(cutting=1.0)):
            connection.execute("BEGIN")
            connection.execute("INSERT INTO kept VALUES (1)")
            with pytest.raises(psycopg.OperationalError):
                connection.execute("COMMIT")
    assert proxy.counts["cut after COMMIT"] == 1
    wait_until(lambda: not sessions(proxy))


def test_a_new_target_has_the_new_connections(proxy: Proxy, postgres16: PostgresServer) -> None:
    with opened(proxy) as connection:
        proxy.retarget(postgres16.dsn())
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    with opened(proxy) as connection:
        assert connection.info.server_version // 10_000 == 16


def test_a_target_that_is_not_there_is_a_reset(proxy: Proxy, unused_tcp_port: int) -> None:
    proxy.retarget(f"postgresql://postgres@127.0.0.1:{unused_tcp_port}/postgres")
    with pytest.raises(psycopg.OperationalError):
        opened(proxy)


# Half-open


async def test_a_statement_through_a_half_open_connection_ends_by_the_deadline_of_the_adapter(proxy: Proxy) -> None:
    async with otelq.connect(proxy.url, command_timeout=0.3, connect_timeout=0.3) as client:
        for conditions in (
            LinkConditions(deaf=BOTH),
            LinkConditions(deaf=frozenset({"up"})),
            LinkConditions(deaf=frozenset({"down"})),
        ):
            with proxy.under(conditions):
                begun = time.monotonic()
                with pytest.raises(otelq.Unavailable):
                    await client.chains()
                assert time.monotonic() - begun >= 0.3, "nobody said that the connection was gone"
            assert (await client.chains()).items == [], "it works as soon as the network does"


def test_a_connection_that_lost_bytes_never_speaks_again(proxy: Proxy, wait_until: WaitUntil) -> None:
    with spoken(proxy) as client:
        ask(client)
        assert b"SELECT 1" in until_idle(client)
        with proxy.under(LinkConditions(deaf=BOTH)):
            ask(client)
            wait_until(lambda: proxy.counts["bytes dropped"] > 0)
            assert sessions(proxy) == 1, "the server hears of nothing"
        wait_until(lambda: not sessions(proxy))
        ask(client)
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)


def spoken(proxy: Proxy) -> socket.socket:
    """A connection that the server has let in."""
    client = socket.create_connection(("127.0.0.1", urlsplit(proxy.url).port or 0))
    database = urlsplit(proxy.url).path.lstrip("/").encode()
    hello = (3 << 16).to_bytes(4) + b"user\0postgres\0database\0" + database + b"\0\0"
    client.sendall((len(hello) + 4).to_bytes(4) + hello)
    until_idle(client)
    return client


def ask(client: socket.socket) -> None:
    client.sendall(b"Q" + (4 + 9).to_bytes(4) + b"SELECT 1\0")


def until_idle(client: socket.socket) -> bytes:
    """What the server says until it is done."""
    said = b""
    while IDLE not in said:
        data = client.recv(65_536)
        assert data, said
        said += data
    return said


def test_a_new_connection_is_accepted_and_never_answered(proxy: Proxy) -> None:
    with (
        proxy.under(LinkConditions(deaf=BOTH)),
        socket.create_connection(("127.0.0.1", urlsplit(proxy.url).port or 0), timeout=0.2) as client,
    ):
        client.sendall(bytes.fromhex("0000000804d2162f"))
        with pytest.raises(TimeoutError):
            client.recv(1)
    assert proxy.counts["never answered"] == 1


def test_an_idle_connection_lives_through_it(proxy: Proxy) -> None:
    with opened(proxy) as connection:
        with proxy.under(LinkConditions(deaf=BOTH)):
            pass
        assert connection.execute("SELECT 1").fetchone() == (1,)


async def test_a_proxy_ends_with_connections_open(proxy: Proxy) -> None:
    with Proxy(proxy.target) as other:
        connection = await psycopg.AsyncConnection.connect(other.url, autocommit=True)
    with pytest.raises(psycopg.OperationalError):
        async with asyncio.timeout(5):
            await connection.execute("SELECT 1")


# What it reads


@pytest.mark.parametrize("begins_untyped", [True, False])
@given(st.lists(st.binary(max_size=20), max_size=6), st.integers(1, 30))
def test_messages_are_whole_however_they_come(begins_untyped: bool, bodies: list[bytes], size: int) -> None:
    whole = [b"Q" + (len(body) + 4).to_bytes(4) + body for body in bodies]
    if begins_untyped and whole:
        whole[0] = whole[0][1:]
    data = b"".join(whole)
    messages = Messages(begins_untyped=begins_untyped)
    cut = [messages.feed(data[n : n + size]) for n in range(0, len(data), size)]
    assert [message for part in cut for message in part] == whole


def test_a_commit_and_an_idle_server_are_known() -> None:
    assert is_commit(b"Q\0\0\0\x0cCOMMIT;\0")
    assert not is_commit(b"Q\0\0\0\x0eROLLBACK;\0")
    assert b"Z" + (5).to_bytes(4) + b"I" == IDLE


@pytest.mark.parametrize(
    "url", ["sqlite:////tmp/x.db", "postgresql://db/x?sslmode=verify-full", "postgresql:///x?host=/run"]
)
def test_what_no_proxy_can_stand_before_is_reached_directly(url: str) -> None:
    with network_for(url) as network:
        assert isinstance(network, Direct)
        assert network.url == url


def test_the_way_through_the_proxy_keeps_user_password_and_options() -> None:
    with Proxy("postgresql://me:s%40cret@db.example:7000/orders?application_name=x&sslmode=prefer") as proxy:
        assert proxy.url.startswith("postgresql://me:s%40cret@127.0.0.1:")
        assert proxy.url.endswith("/orders?application_name=x&sslmode=disable")
