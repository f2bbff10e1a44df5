"""Adapters by the URL that a command is given, and the schema that several commands work in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final

import click

from otelq.adapters import find_adapter, known_schemes
from otelq.model import JobQuery
from otelq.ports.notify import NotifyAdapter
from otelq.ports.state import StateAdapter

SCHEMA: Final = "otelq_conformance"
STATE: Final = "otelq.state"
NOTIFY: Final = "otelq.notify"


def groups_of(url: str) -> list[str]:
    """Return the groups of adapters that have one for a URL: ``STATE``, ``NOTIFY`` or both; refuse it if none has."""
    groups = (STATE, NOTIFY)
    return [group for group in groups if find_adapter(group, _scheme(url), argument="url")] or _refuse(url, *groups)


def state_factory(url: str) -> Callable[[], StateAdapter]:
    """Return a function that makes unopened adapters for the schema in the database at a URL."""
    make = _load(STATE, url)
    return lambda: make(url, schema=SCHEMA)


def notify_factory(url: str) -> Callable[[], NotifyAdapter]:
    """Return a function that makes unopened notify adapters for a URL."""
    make = _load(NOTIFY, url)
    return lambda: make(url)


def _load(group: str, url: str) -> Callable[..., Any]:
    found = find_adapter(group, _scheme(url), argument="url")
    make: Callable[..., Any] = found.load() if found else _refuse(url, group)
    return make


def _refuse(url: str, *groups: str) -> Any:
    schemes = ", ".join(sorted({scheme for group in groups for scheme in known_schemes(group)}))
    raise click.UsageError(f"no adapter for {_scheme(url)}: is installed; known are {schemes}")


def _scheme(url: str) -> str:
    return url.partition(":")[0].lower()


@contextmanager
def borrowed(factory: Callable[[], StateAdapter]) -> Generator[None]:
    """Refuse a schema that holds jobs, and leave it empty however the block ends."""
    asyncio.run(_refuse_jobs(factory()))
    try:
        yield
    finally:
        asyncio.run(_empty(factory()))


async def _refuse_jobs(adapter: StateAdapter) -> None:
    await adapter.open()
    try:
        page = await adapter.jobs(JobQuery(limit=1))
    finally:
        await adapter.close()
    if page.items:
        raise click.ClickException(f"the schema {SCHEMA} holds jobs; drop it if nobody needs them, and run again")


async def _empty(adapter: StateAdapter) -> None:
    await adapter.open()
    try:
        await adapter.truncate_all()
    finally:
        await adapter.close()
