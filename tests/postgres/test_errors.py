"""Each class of SQLSTATE, and each error of a driver without one: what becomes of it, through every driver."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from typing import Any

import asyncpg
import psycopg
import psycopg_pool
import pytest
import sqlalchemy.exc

from otelq.errors import Forbidden, OtelqError, Refused, Unavailable
from otelq.postgres import adapter
from otelq.postgres.errors import (
    KINDS,
    ErrorKind,
    bare,
    is_configuration,
    is_conflict,
    is_lost,
    is_passing,
    is_refusal,
    is_stale,
    kind_of,
    opening_failure,
    sqlstate,
    text_of,
    translate,
)

from ..servers import PostgresServer
from .drivers import WAYS, own_provider, target

CODES = {
    "08006": ErrorKind.LOST,
    "0A000": ErrorKind.STALE,
    "21000": ErrorKind.REFUSED,
    "22003": ErrorKind.REFUSED,
    "23514": ErrorKind.REFUSED,
    "25006": ErrorKind.STALE,
    "25P03": ErrorKind.STALE,
    "25P04": ErrorKind.STALE,
    "26000": ErrorKind.STALE,
    "28000": ErrorKind.CONFIGURATION,
    "28P01": ErrorKind.CONFIGURATION,
    "3D000": ErrorKind.CONFIGURATION,
    "3F000": ErrorKind.CONFIGURATION,
    "40001": ErrorKind.CONFLICT,
    "40003": ErrorKind.PASSING,
    "40P01": ErrorKind.CONFLICT,
    "42501": ErrorKind.CONFIGURATION,
    "42703": ErrorKind.CONFIGURATION,
    "42P01": ErrorKind.CONFIGURATION,
    "44000": ErrorKind.REFUSED,
    "53100": ErrorKind.PASSING,
    "53300": ErrorKind.PASSING,
    "54000": ErrorKind.REFUSED,
    "55P03": ErrorKind.PASSING,
    "57014": ErrorKind.PASSING,
    "57P01": ErrorKind.LOST,
    "57P03": ErrorKind.LOST,
    "58000": ErrorKind.PASSING,
    "58030": ErrorKind.PASSING,
    "72000": ErrorKind.PASSING,  # nothing is known of it
    "P0001": ErrorKind.REFUSED,
    "XX000": ErrorKind.PASSING,
    "XX001": ErrorKind.PASSING,
}
REPORT = "DO $$ BEGIN RAISE EXCEPTION USING errcode = '{}', message = 'asked for', detail = 'a secret'; END $$"

WITHOUT_CODE = [
    (OSError(111, "refused"), True),
    (ConnectionResetError(), True),
    (socket.gaierror(-2, "Name or service not known"), True),
    (ssl.SSLError(1, "handshake failure"), True),
    (ssl.SSLCertVerificationError(1, "certificate has expired"), True),
    (TimeoutError(), False),
    (asyncpg.InterfaceError("connection is closed"), True),
    (asyncpg.InternalClientError("got result for unknown protocol state 3"), True),
    (asyncpg.exceptions.OutdatedSchemaCacheError("unexpected number of attributes"), True),
    (asyncpg.exceptions.TargetServerAttributeNotMatched("none is read-write"), True),
    (psycopg.OperationalError("the connection is lost"), True),
    (psycopg.errors.PipelineAborted("pipeline aborted"), True),
    (psycopg_pool.PoolTimeout("couldn't get a connection after 30.00 sec"), False),
    (psycopg_pool.TooManyRequests("the pool has already 9 requests waiting"), False),
    (sqlalchemy.exc.TimeoutError("QueuePool limit of size 5 overflow 10 reached"), False),
    (sqlalchemy.exc.ResourceClosedError("This Connection is closed"), True),
    (sqlalchemy.exc.DBAPIError("SELECT 'secret'", {"p1": "secret"}, ConnectionResetError("gone")), True),
]
"""What drivers and the network raise, and whether it leaves open what was done."""


@pytest.fixture
def url(postgres18: PostgresServer) -> Iterator[str]:
    """A fresh database."""
    made = postgres18.create_migrated_database()
    yield made
    postgres18.drop_database(made)


def test_every_class_of_the_table_is_tested() -> None:
    assert all(any(code.startswith(known) for code in CODES) for known in KINDS)
    assert {code: kind_of(code) for code in CODES} == CODES


@pytest.mark.parametrize("way", [*WAYS, "provider"])
async def test_each_class_is_known_through_each_driver(way: str, url: str) -> None:
    async with own_provider(url) if way == "provider" else target(way, url) as place:
        state: Any = adapter(place)
        await state.open()
        for code, kind in CODES.items():
            check(await reported(state, code), code, kind)
        await state.close()


async def reported(state: Any, code: str) -> BaseException:
    """What the driver raises when the server reports this code."""
    with pytest.raises(Exception, match="asked for") as raised:
        async with state._database.source.loan(atomic=True, timeout=10) as link:
            await link.fetch(REPORT.format(code), (), timeout=10)
    return raised.value


def check(error: BaseException, code: str, kind: ErrorKind) -> None:
    ours = translate(error)
    others = Forbidden if code == "42501" else Unavailable
    assert type(ours) is (Refused if kind is ErrorKind.REFUSED else others), code
    assert str(ours).endswith(f"asked for (SQLSTATE {code})")
    assert ours.__cause__ is not None
    assert sqlstate(ours.__cause__) == code
    asked = (is_lost, is_stale, is_conflict, is_configuration)
    kinds = (ErrorKind.LOST, ErrorKind.STALE, ErrorKind.CONFLICT, ErrorKind.CONFIGURATION)
    assert [ask(error) for ask in asked] == [kind is each for each in kinds], code
    assert is_refusal(error) is (kind is not ErrorKind.LOST)
    assert is_passing(error) is (kind not in (ErrorKind.REFUSED, ErrorKind.CONFIGURATION))


@pytest.mark.parametrize("error, is_open", WITHOUT_CODE, ids=lambda value: type(value).__name__)
def test_what_comes_from_a_driver_or_the_network_passes(error: Exception, is_open: bool) -> None:
    ours = translate(error)
    assert type(ours) is Unavailable
    assert "secret" not in str(ours)
    assert is_passing(error)
    assert is_lost(error) is is_open
    assert not is_stale(error)


@pytest.mark.parametrize(
    "error", [psycopg_pool.PoolClosed("the pool 'pool-1' is already closed"), asyncpg.InterfaceError("pool is closing")]
)
def test_a_pool_that_its_owner_closed_is_not_waited_for(error: Exception) -> None:
    ours = translate(error)
    assert type(ours) is OtelqError
    assert "closed by their owner" in str(ours)


def test_what_is_not_a_drivers_is_left_as_it_is() -> None:
    assert translate(KeyError("a bug")) is None
    assert translate(Refused("ours")) is None


@pytest.mark.parametrize(
    "text, shown",
    [
        ('invalid input syntax for type uuid: "secret "one""', "invalid input syntax for type uuid"),
        ('value "secret" is out of range for type integer', "value"),
        ("Eingabesyntax für Typ uuid: „secret“", "Eingabesyntax für Typ uuid"),
        ("numeric field overflow", "numeric field overflow"),
    ],
)
def test_a_value_that_could_not_be_read_is_not_shown(text: str, shown: str) -> None:
    assert text_of(asyncpg.exceptions.InvalidTextRepresentationError(text)) == f"{shown} (SQLSTATE 22P02)"


def test_an_error_that_cannot_be_copied_is_no_cause() -> None:
    class Odd(Exception):
        sqlstate = "23514"

        def __init__(self, *, row: str) -> None:
            super().__init__(f"refused\nDETAIL: {row}")

    ours = translate(Odd(row="secret"))
    assert isinstance(ours, Refused)
    assert (str(ours), ours.__cause__) == ("the database refuses a value: refused (SQLSTATE 23514)", None)
    assert bare(Odd(row="secret")) is None


@pytest.mark.parametrize("code", ["28P01", "28000", "3D000", "3F000", "42P01", "42501"])
def test_wrong_configuration_ends_who_was_never_open_and_passes_for_who_was(code: str) -> None:
    ours = translate(asyncpg.PostgresError.new({"C": code, "M": "asked for"}))
    assert ours is not None
    assert type(opening_failure(ours, was_open=False)) is OtelqError
    assert isinstance(opening_failure(ours, was_open=True), Unavailable)
