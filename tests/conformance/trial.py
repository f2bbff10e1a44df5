"""Runs of cases against the SQLite adapter with a fault in it."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from traceback import extract_tb

from otelq.sqlite import dump
from otelq_verify.conformance.cases import Case, Result
from otelq_verify.conformance.kit import Kit

from . import faults
from .faults import Fault
from .faults.adapter import SqliteState, SqliteStatements

_FAULTS = {str(file) for file in Path(faults.__file__).parent.iterdir()}
_IS_OUTDATED = re.compile("syntax error|no such (column|table|function)")
_empty = SqliteState.truncate_all  # without a fault


async def results_with(fault: Fault, cases: Sequence[Case[Kit]], *, timeout: float = 10.0) -> list[Result]:
    """Run cases on one adapter that has the fault, each on an emptied store."""
    with TemporaryDirectory(prefix="otelq-") as folder:
        with fault.planted():
            store = _adapter(Path(folder, "otelq.db"))
            results = [await _result(store, case, timeout) for case in cases]
        await store.close()
    return results


def _adapter(file: Path) -> SqliteState:
    file.write_bytes(_tables())
    return SqliteState(file, SqliteStatements("otelq"), synchronous="off", busy_timeout=5.0)


@cache
def _tables() -> bytes:
    """Return a database without jobs: a copy takes less time than tables that are made anew."""
    with sqlite3.connect(":memory:") as connection:
        connection.executescript(dump("otelq"))
        return connection.serialize()


async def _result(store: SqliteState, case: Case[Kit], timeout: float) -> Result:
    await store.open(migrate=False)  # the first time, or where a case closed it
    await _empty(store)
    try:
        async with asyncio.timeout(timeout):
            await case.check(Kit(store))
    except Exception as error:
        _check_fault(error)
        return Result(case, error)
    return Result(case, None)


def _check_fault(error: Exception) -> None:
    """Raise an error that says nothing about the case: the fault names what is not there any more."""
    place = extract_tb(error.__traceback__)[-1].filename
    if _IS_OUTDATED.search(str(error)) or (isinstance(error, AttributeError | TypeError) and place in _FAULTS):
        raise error
