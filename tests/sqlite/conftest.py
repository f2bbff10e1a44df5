"""An open adapter on a fresh file, and connections beside it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiosqlite
import pytest

from otelq.ports.state import StateAdapter
from otelq.sqlite import adapter
from otelq.sqlite.state import SqliteState

# Python 3.11 has no autocommit.
collect_ignore = ["test_autocommit.py"] if sys.version_info < (3, 12) else []

Connect = Callable[..., Awaitable[aiosqlite.Connection]]
Open = Callable[..., Awaitable[SqliteState]]


@pytest.fixture
def file(sqlite_url: str) -> Path:
    """The file of the database."""
    return Path(sqlite_url.removeprefix("sqlite:///"))


@pytest.fixture
async def another(sqlite_url: str) -> AsyncIterator[Open]:
    """Opens adapters on the file, each as another process would have it."""
    async with AsyncExitStack() as stack:

        async def open_one(**options: Any) -> SqliteState:
            made = opened(adapter(sqlite_url, **options))
            await made.open()
            stack.push_async_callback(made.close)
            return made

        yield open_one


@pytest.fixture
async def state(another: Open) -> SqliteState:
    """The adapter, open on an empty database."""
    return await another()


@pytest.fixture
async def connect(file: Path) -> AsyncIterator[Connect]:
    """Opens connections of a user's own, closed with the test."""
    async with AsyncExitStack() as stack:

        async def open_one(**options: Any) -> aiosqlite.Connection:
            return await stack.enter_async_context(aiosqlite.connect(file, **options))

        yield open_one


def opened(state: StateAdapter) -> SqliteState:
    assert isinstance(state, SqliteState)
    return state
