"""Reaching the database, failing to, and reaching it again."""

from __future__ import annotations

import asyncio
import socket
import ssl
import traceback
from typing import Any, NoReturn

import anyio
import asyncpg
import pytest

import otelq
from otelq.errors import InvalidArgument, Unavailable
from otelq.postgres import adapter
from otelq.postgres.drivers.port import RESERVED

from .. import servers
from .drivers import WAYS, own_provider, target
from .shortcuts import lease, settle, start

SECRET = "s3cr3t"


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


async def test_an_unreachable_server_is_named_without_the_password() -> None:
    state = adapter(f"postgresql://user:{SECRET}@127.0.0.1:{closed_port()}/orders")

    with pytest.raises(Unavailable, match=r"127\.0\.0\.1.*orders") as raised:
        await state.open()

    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    "option, problem",
    [
        ("poolsize", r"is no option of connect\(\), nor of asyncpg.create_pool"),
        ("connect_timout", "is it connect_timeout?"),
        ("statement_cashe_size", "is it statement_cache_size?"),
        ("reset", "is set by otelq itself"),
    ],
)
def test_an_option_that_nobody_knows_is_named_before_anything_is_connected(option: str, problem: str) -> None:
    options: dict[str, Any] = {option: 5}
    with pytest.raises(InvalidArgument, match=problem) as raised:
        otelq.connect("postgresql://127.0.0.1/orders", **options)

    assert raised.value.argument == option


@pytest.mark.parametrize("way", [*WAYS[1:], "provider"])
async def test_an_option_beside_a_pool_or_an_engine_is_named(way: str, postgres_url: str) -> None:
    async with own_provider(postgres_url) if way == "provider" else target(way, postgres_url) as place:
        with pytest.raises(InvalidArgument) as raised:
            otelq.connect(place, poolsize=5)

    assert raised.value.argument == "poolsize"


async def test_a_server_that_does_not_answer_is_given_up_within_the_connect_timeout() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"postgresql://user:{SECRET}@127.0.0.1:{silent.getsockname()[1]}/orders"
        state = adapter(url, connect_timeout=0.2)

        with pytest.raises(Unavailable, match="orders") as raised:
            await state.open()

    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://user:{SECRET}/x@host/orders",
        f"postgresql://u:p@h:{SECRET}/db",
        f"postgresql:/u:{SECRET}@h/db",
        f"postgresql:u:{SECRET}@h/db",
        f"postgresql:///u:{SECRET}@h/db",
        f"postgresql://u:1/{SECRET}@h/db",
        f"postgresql://u:1#{SECRET}@h/db",
        f"postgresql://u:1?{SECRET}@h/db",
        f"postgresql://u:1@{SECRET}@h/db",
        f"postgresql://[{SECRET}/db",
    ],
)
async def test_a_url_that_cannot_be_read_is_refused_without_telling_any_of_it(url: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        await adapter(url).open()

    assert SECRET not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize(
    "rest", [f"?user=u&password={SECRET}", f"?password={SECRET}%40a", f"?user=a@b&password={SECRET}"]
)
async def test_a_password_among_the_parameters_of_a_url_is_not_shown(rest: str) -> None:
    with pytest.raises(Unavailable) as raised:
        await adapter(f"postgresql://127.0.0.1:{closed_port()}/orders{rest}").open()

    assert SECRET not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("dsn", [f"host=::1 password={SECRET}", f"password={SECRET} host=h options=-c a:b"])
def test_a_connection_string_that_is_no_url_is_refused_without_telling_any_of_it(dsn: str) -> None:
    for place, notify in ((dsn, None), ("memory://", dsn)):
        with pytest.raises(InvalidArgument, match="is no URL") as raised:
            otelq.connect(place, notify=notify)

        assert SECRET not in str(raised.value)


async def test_a_certificate_that_does_not_fit_is_not_taken_for_a_wrong_url(empty_postgres_url: str) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise ssl.SSLCertVerificationError(1, "certificate has expired")

    with pytest.raises(Unavailable, match="certificate has expired"):
        await adapter(empty_postgres_url, connect=refuse).open()


async def test_a_callers_pool_is_used_and_left_open(empty_postgres_url: str) -> None:
    async with asyncpg.create_pool(empty_postgres_url, min_size=0, max_size=RESERVED + 1) as pool:
        state = adapter(pool)
        await state.open()
        async with state.begin() as tx:
            await start(state, tx=tx)
            await start(state)
        await state.close()

        assert await pool.fetchval("SELECT count(*) FROM otelq.open_job") == 2
        assert state.sibling() is not None


async def test_a_pool_too_small_for_verbs_and_handlers_is_refused_with_the_number_needed(
    empty_postgres_url: str,
) -> None:
    async with asyncpg.create_pool(empty_postgres_url, min_size=0, max_size=RESERVED) as pool:
        with pytest.raises(InvalidArgument, match=f"at least {RESERVED + 1}"):
            await adapter(pool).open()


async def test_verbs_do_not_wait_for_handlers_transactions(empty_postgres_url: str) -> None:
    state = adapter(empty_postgres_url, max_size=1)
    await state.open()
    await start(state)

    async with state.begin():
        async with asyncio.timeout(10):
            settled = await settle(state, await lease(state))

    assert settled.results == ("done",)
    await state.close()


@pytest.mark.parametrize("schema", ["", "a b", 'a"b', "1a", "pg_jobs", "x" * 60])
def test_a_schema_that_is_no_plain_word_is_refused(schema: str) -> None:
    with pytest.raises(InvalidArgument, match="schema"):
        adapter("postgresql://h/d", schema=schema)


@pytest.mark.parametrize("schema", ["Jobs", "select", "_a1"])
async def test_any_plain_word_is_a_schema(empty_postgres_url: str, schema: str) -> None:
    state = adapter(empty_postgres_url, schema=schema)
    await state.open()
    await start(state)

    assert len(await lease(state)) == 1
    await state.close()


async def test_work_goes_on_after_the_server_was_restarted() -> None:
    with servers.postgres(18) as server:
        state = adapter(server.create_database())
        await state.open()
        await start(state)
        claimed = await lease(state)

        await asyncio.to_thread(server.restart, "immediate")

        settled = await settle(state, claimed)
        assert settled.results in ((("done"),), (("lost"),))
        await start(state)
        assert await lease(state)
        await state.close()


async def test_closing_twice_is_fine_and_a_closed_adapter_says_so(empty_postgres_url: str) -> None:
    state = adapter(empty_postgres_url)
    await state.open()
    await state.close()
    await state.close()

    with pytest.raises(Unavailable, match="not open"):
        await start(state)


async def test_an_open_that_is_cancelled_on_every_turn_of_the_loop_leaves_no_connection(postgres_url: str) -> None:
    made: list[Any] = []
    with anyio.CancelScope() as scope:

        async def cancel_at_the_second(connection: Any) -> None:
            made.append(connection)
            if len(made) == 2:
                asyncio.get_running_loop().call_soon(scope.cancel)

        await adapter(postgres_url, init=cancel_at_the_second, min_size=1).open()

    assert scope.cancelled_caught
    assert [connection.is_closed() for connection in made] == [True, True]


async def test_an_open_that_is_cancelled_while_it_cleans_up_after_an_error_leaves_no_connection(
    empty_postgres_url: str,
) -> None:
    made: list[Any] = []

    async def remember(connection: Any) -> None:
        made.append(connection)

    opening = asyncio.create_task(adapter(empty_postgres_url, init=remember, min_size=1).open(migrate=False))
    while not any(connection.is_closed() for connection in made):  # noqa: ASYNC110  # no event tells of it
        await asyncio.sleep(0)
    opening.cancel()
    await asyncio.wait([opening])

    assert opening.cancelled()
    assert [connection.is_closed() for connection in made] == [True, True]
