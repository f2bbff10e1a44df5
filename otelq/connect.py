"""From a URL, a pool or an engine to a client: finds the adapters by their entry points."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from .adapters import find, known
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
"""Which adapter takes an object of a driver, by the top package of the object's type or of its bases."""
EXTRAS_OF_DRIVERS = {
    "asyncpg": "postgres",
    "psycopg": "psycopg",
    "psycopg_pool": "psycopg",
    "sqlalchemy": "sqlalchemy",
    "greenlet": "sqlalchemy",
    "redis": "redis",
    "nats": "nats",
}
"""What to install for a driver that is not there."""


def connect(
    target: object,
    *,
    session: object = None,
    notify: str | NotifyAdapter | None = None,
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
    A client for a database; use it as an async context manager, or call ``open`` and ``aclose``.

    Args:
        target: a URL (``postgresql://…``, ``sqlite:///file.db``, or ``memory://``, which is a store of this client's
            own), an ``asyncpg.Pool``, a ``psycopg_pool.AsyncConnectionPool``, SQLAlchemy's ``AsyncEngine``, a
            ``Provider`` of one's own (see ``otelq.postgres``), or a state adapter. A pool or an engine that the caller
            made is never closed; it needs three connections or more.
        session: with an ``AsyncEngine``, the ``async_sessionmaker`` whose sessions handlers get from
            ``attempt.completion()``, and everybody from ``client.transaction()``.
        notify: where hints go to make things quicker: a URL or an adapter; with None they go to this client's own
            workers and waiters only.
        schema: the schema (on SQLite: the prefix of the tables) that holds otelq's tables.
        migrate: whether to bring the schema up to date when opened.
        max_payload: the largest payload in bytes, as it is stored.
        codec: the form in which payloads are stored, such as ``otelq.Encryption(...)``; None is plain JSON. All
            clients and workers of a database need one that reads what the others write.
        tracer_provider, meter_provider: instead of OpenTelemetry's global ones.
        baggage: the names of the baggage entries that travel with a job.
        trace_internal_sql: show otelq's own statements in traces of an instrumented driver.
        middleware: what stands round every start of this client, the outermost first.
        options: passed to the adapter (see ``otelq.postgres.adapter``, ``otelq.sqlite.adapter``), and what that does
            not know to the driver.

    Raises:
        InvalidArgument: no adapter is installed for the target.
    """
    _check_schema(schema)
    if check_count("max_payload", max_payload) < 1024:
        raise InvalidArgument("max_payload", f"is {max_payload}; give 1024 bytes or more")
    if codec is not None and (isinstance(codec, type) or not isinstance(codec, PayloadCodec)):  # pyright: ignore[reportUnnecessaryIsInstance]  # as below
        raise InvalidArgument("codec", f"is {type(codec).__qualname__}; give otelq.Encryption(...) or a PayloadCodec")
    if isinstance(baggage, str) or not all(isinstance(name, str) for name in baggage):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        raise InvalidArgument("baggage", f"is {baggage!r}; give names, as in a list")
    if session is not None:
        options["session"] = session
    state = target if isinstance(target, StateAdapter) else _state(target, schema=schema, options=options)
    notifier = notify if isinstance(notify, NotifyAdapter) else _notifier(notify)
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
    if "session" in options and not hasattr(target, "dialect"):
        raise InvalidArgument("session", "goes with an AsyncEngine of SQLAlchemy; give that as the target")
    with _extras("target", scheme):
        adapter: StateAdapter = _load("target", "otelq.state", scheme)(target, schema=schema, **options)
    return adapter


def _check_schema(schema: str) -> None:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", check_text(schema, argument="schema", longest=48)):
        raise InvalidArgument("schema", f"is {schema!r}; give letters, digits and underscores, no digit first")


def _notifier(notify: str | None) -> NotifyAdapter:
    scheme = "memory" if notify is None else _scheme("notify", notify)
    with _extras("notify", scheme):
        notifier: NotifyAdapter = _load("notify", "otelq.notify", scheme)(notify)
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
    found = find(group, scheme, argument=argument)
    if found is None and "+" in scheme:
        raise InvalidArgument(argument, f"is a URL of SQLAlchemy ({scheme}:); give `create_async_engine(url)` instead")
    if found is None:
        raise InvalidArgument(argument, f"no adapter for {scheme}: is installed; known are {', '.join(known(group))}")
    return found.load()


@contextmanager
def _extras(argument: str, scheme: str) -> Generator[None]:
    """A driver that is not there is named with what to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        extra = EXTRAS_OF_DRIVERS.get(error.name or "")
        if extra is None:
            raise
        hint = f"install otelq's extra `{extra}` (README, Install)"
        raise InvalidArgument(argument, f"{scheme}: needs {error.name}; {hint}") from error
