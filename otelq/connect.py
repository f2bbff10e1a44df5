"""Builds a client from a URL, a pool or an engine; finds the adapters by their entry points."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from .adapters import find_adapter, known_schemes
from .client import Client, Engine
from .codec import MAX_PAYLOAD, PayloadCodec, PayloadPipeline, check_text
from .definitions import Middleware, check_count, check_middleware
from .effects import Effects
from .errors import InvalidArgument
from .ports.notify import NotifyAdapter
from .ports.state import StateAdapter
from .telemetry import MeterProvider, Telemetry, TracerProvider

SCHEMES_OF_DRIVERS = {
    "asyncpg": "postgresql",
    "psycopg": "postgresql",
    "psycopg_pool": "postgresql",
    "aiosqlite": "sqlite",
}
"""The adapter for an object of a driver, by the top package of the object's type or of its bases."""
EXTRAS_OF_DRIVERS = {
    "asyncpg": "postgres",
    "psycopg": "psycopg",
    "psycopg_pool": "psycopg",
    "sqlalchemy": "sqlalchemy",
    "greenlet": "sqlalchemy",
    "redis": "redis",
    "nats": "nats",
}
"""The extra of otelq that brings the package of a driver."""


def connect(
    target: object,
    *,
    session: object = None,
    notify: str | NotifyAdapter | None = "auto",
    schema: str = "otelq",
    migrate: bool = True,
    max_payload: int = MAX_PAYLOAD,
    codec: PayloadCodec | None = None,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    baggage: Sequence[str] = (),
    trace_internal_sql: bool = False,
    middleware: Sequence[Middleware] = (),
    **options: object,
) -> Client:
    """
    Return a client for a database. Use it as an async context manager, or call ``open`` and ``aclose``.

    Nothing is connected before it is opened.

    Args:
        target: a URL (``postgresql://…``, ``sqlite:///file.db``, or ``memory://`` for a temporary store of this
            client), an ``asyncpg.Pool``, a ``psycopg_pool.AsyncConnectionPool``, SQLAlchemy's ``AsyncEngine``, an
            ``otelq.postgres.Provider``, or a state adapter. A pool or an engine of the caller is never closed; it needs
            three connections or more.
        session: with an ``AsyncEngine``, the ``async_sessionmaker`` whose sessions ``client.transaction()`` and
            ``attempt.completion()`` give.
        notify: the notifier that carries hints between processes: a URL of PostgreSQL, Redis or NATS, an adapter, or
            ``"auto"``, which is LISTEN and NOTIFY on PostgreSQL. With None hints reach only the workers and waiters of
            this client, and the jobs of other processes are found by polling.
        schema: the schema of otelq's tables, on SQLite the prefix of their names; up to 48 letters, digits and
            underscores.
        migrate: whether opening the client brings the schema up to date.
        max_payload: the largest payload in bytes, as it is stored; 1024 or more.
        codec: the form in which payloads are stored, such as ``otelq.Encryption(...)``; None for plain JSON. All
            clients and workers of a database need a codec that reads the payloads of the others.
        tracer_provider: the OpenTelemetry provider for spans; None for the global one.
        meter_provider: the OpenTelemetry provider for metrics; None for the global one.
        baggage: the names of the baggage entries that travel with a job.
        trace_internal_sql: whether traces of an instrumented driver show otelq's own statements.
        middleware: runs around every start of this client, the outermost first.
        options: options of the adapter (see ``otelq.postgres.adapter`` and ``otelq.sqlite.adapter``), and of its
            driver.

    Raises:
        InvalidArgument: an option cannot be used, no adapter is known for the target, or its driver is not installed.
    """
    _check_schema(schema)
    if check_count("max_payload", max_payload) < 1024:
        raise InvalidArgument("max_payload", f"is {max_payload}; give 1024 bytes or more")
    # A class passes `isinstance` of a protocol as well as its instance does.
    if codec is not None and (isinstance(codec, type) or not isinstance(codec, PayloadCodec)):  # pyright: ignore[reportUnnecessaryIsInstance]  # as below
        raise InvalidArgument("codec", f"is {type(codec).__qualname__}; give otelq.Encryption(...) or a PayloadCodec")
    if isinstance(baggage, str) or not all(isinstance(name, str) for name in baggage):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        raise InvalidArgument("baggage", f"is {baggage!r}; give names, as in a list")
    if session is not None:
        options["session"] = session
    state = target if isinstance(target, StateAdapter) else _state(target, schema=schema, options=options)
    notifier = notify if isinstance(notify, NotifyAdapter) else _notifier(notify, state=state, schema=schema)
    telemetry = Telemetry(
        tracer_provider=tracer_provider,
        meter_provider=meter_provider,
        system=state.name,
        trace_internal_sql=trace_internal_sql,
        baggage=baggage,
    )
    effects = Effects(state=state, notify=notifier, telemetry=telemetry)
    payloads = PayloadPipeline(codec, max_payload)
    engine = Engine(state=state, notify=notifier, effects=effects, telemetry=telemetry, payloads=payloads)
    return Client(engine, migrate=migrate, middleware=check_middleware("middleware", middleware))


def _state(target: object, *, schema: str, options: dict[str, object]) -> StateAdapter:
    scheme = _scheme("target", target) if isinstance(target, str) else _scheme_of_object(target)
    # By its attributes: the root of otelq imports no driver, and so not SQLAlchemy.
    if "session" in options and not hasattr(target, "dialect"):
        raise InvalidArgument("session", "goes with an AsyncEngine of SQLAlchemy; give that as the target")
    with name_missing_extra("target", scheme):
        adapter: StateAdapter = _load("target", "otelq.state", scheme)(target, schema=schema, **options)
    return adapter


def _check_schema(schema: str) -> None:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", check_text(schema, argument="schema", longest=48)):
        raise InvalidArgument("schema", f"is {schema!r}; give letters, digits and underscores, no digit first")


def _notifier(notify: str | None, *, state: StateAdapter, schema: str) -> NotifyAdapter:
    if notify == "auto":
        return state.notifier() or _notifier(None, state=state, schema=schema)
    scheme = "memory" if notify is None else _scheme("notify", notify)
    with name_missing_extra("notify", scheme):
        notifier: NotifyAdapter = _load("notify", "otelq.notify", scheme)(notify, schema=schema)
    return notifier


def _scheme(argument: str, url: str) -> str:
    scheme, colon, _ = check_text(url, argument=argument, longest=10_000).partition(":")
    if not colon or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        raise InvalidArgument(argument, "is no URL; give one such as sqlite:///jobs.db or postgresql://host/database")
    return scheme.lower()


def _scheme_of_object(target: object) -> str:
    packages = [base.__module__.partition(".")[0] for base in type(target).__mro__]
    if "sqlalchemy" in packages and hasattr(target, "dialect"):
        return str(cast(Any, target).dialect.name)
    if scheme := next((SCHEMES_OF_DRIVERS[package] for package in packages if package in SCHEMES_OF_DRIVERS), None):
        return scheme
    if all(callable(getattr(target, name, None)) for name in ("execute", "transaction")) and hasattr(target, "is_open"):
        return "postgresql"
    raise InvalidArgument("target", f"is {type(target).__qualname__}; give a URL, a pool or an AsyncEngine")


def _load(argument: str, group: str, scheme: str) -> Any:
    found = find_adapter(group, scheme, argument=argument)
    if found is None and "+" in scheme and group == "otelq.state":
        raise InvalidArgument(argument, f"is a URL of SQLAlchemy ({scheme}:); give `create_async_engine(url)` instead")
    if found is None:
        raise InvalidArgument(
            argument, f"no adapter for {scheme}: is installed; known are {', '.join(known_schemes(group))}"
        )
    return found.load()


@contextmanager
def name_missing_extra(argument: str, scheme: str) -> Generator[None]:
    """Raise ``InvalidArgument`` with the extra to install where a driver's package is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        extra = EXTRAS_OF_DRIVERS.get(error.name or "")
        if extra is None:
            raise
        hint = f"install otelq's extra `{extra}` (README, Install)"
        raise InvalidArgument(argument, f"{scheme}: needs {error.name}; {hint}") from error
