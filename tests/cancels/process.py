"""One driver: ``python -m tests.cancels.process URL DRIVER SECONDS SEED``, in a process that may crash or hang."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import logging
import os
import re
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from functools import partial
from random import Random
from typing import Any

import otelq
from otelq_verify.drivers import SQLITE, Application, application, execute, rows
from otelq_verify.invariants import violations

from .books import RETURNED, Books, Found
from .calls import ROWS, TABLES, Calls, jobs
from .interruptions import interrupted

CALLERS = 4
SIZE = 12
"""Connections: enough that nobody waits for one while holding another."""
LOOK = 3.0
"""Seconds between two looks at all the application's connections, for which the callers pause."""
PATIENCE = 30.0
"""Seconds after which a call that was cancelled hangs."""
QUIET = 60.0
"""Seconds for the chains that are open in the end."""
WITHOUT_EFFECT = ("psycopg", "aiosqlite")
"""Drivers that do not tell how callers' transactions end."""
LOST = "garbage collector is trying to clean up non-checked-in connection"
"""A connection that nobody gave back; the drivers alone, cancelled in the same ways, lose none."""
LOGGERS = ("asyncio", "sqlalchemy.pool", "psycopg.pool", "psycopg", "otelq")


class Run:
    """An application and its worker, some callers who are cancelled, and a neighbour who is not."""

    def __init__(self, app: Application, client: otelq.Client, *, driver: str, seed: int, only: str) -> None:
        self.books = Books()
        self.problems: Counter[str] = Counter()
        self.looks = 0
        self._app = app
        self._client = client
        self._has_ends = driver not in WITHOUT_EFFECT
        self._seed = seed
        self._only = only
        self._going = asyncio.Event()
        self._going.set()
        self._busy = 0
        self._idle = asyncio.Event()

    async def go(self, seconds: float) -> None:
        """Call and cancel for so long."""
        deadline = time.monotonic() + seconds
        neighbour = asyncio.create_task(self._be_neighbour())
        callers = [asyncio.create_task(self._call(number, deadline)) for number in range(CALLERS)]
        while time.monotonic() + LOOK < deadline:
            await asyncio.sleep(LOOK)
            await self._look()
        await asyncio.gather(*callers)
        neighbour.cancel()
        await asyncio.gather(neighbour, return_exceptions=True)

    async def _call(self, number: int, deadline: float) -> None:
        chance = Random(f"{self._seed} {number}")
        actions = Calls(self._client, self._app, books=self.books, chance=chance, has_ends=self._has_ends)
        names = [name for name in actions.by_name if (name == self._only if self._only else name != "plain")]
        while time.monotonic() < deadline:
            await self._going.wait()
            self._busy += 1
            self._idle.clear()
            await self._make(actions, chance.choice(names), chance)
            self._busy -= 1
            if not self._busy:
                self._idle.set()

    async def _make(self, actions: Calls, name: str, chance: Random) -> None:
        call = self.books.open(name)
        task = asyncio.create_task(interrupted(partial(actions.by_name[name], call), chance))
        done, _ = await asyncio.wait([task], timeout=PATIENCE)
        if not done:
            task.print_stack()
            fall(f"{name} hangs: call {call.number} did not end {PATIENCE:g} s after it was cancelled")
        call.end, call.error = task.result()

    async def _be_neighbour(self) -> None:
        """Write beside otelq, without being cancelled: nothing may go wrong."""
        while True:
            try:
                async with self._app.transaction() as tx:
                    await execute(tx, "INSERT INTO cancels_beside VALUES (?)", -1)
            except Exception as error:
                self.problems[f"the application's own transaction raises {type(error).__name__}: {error}"] += 1
            await asyncio.sleep(0.01)

    async def _look(self) -> None:
        self._going.clear()
        await self._idle.wait()
        self.problems.update(await self._app.faults())
        self.looks += 1
        self._going.set()

    async def drain(self) -> None:
        """Wait until all chains have ended."""
        deadline = time.monotonic() + QUIET
        while time.monotonic() < deadline:
            if not (await self._client.count(of="jobs", status=["ready", "running", "blocked"])).number:
                return
            await asyncio.sleep(0.1)
        self.problems["chains do not end"] += 1


async def main(url: str, driver: str, seconds: float, *, seed: int, only: str = "") -> int:
    """Run, compare, and print what was found; returns the exit code."""
    heard = _listen()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(heard.of_loop)
    async with application(url, driver, size=SIZE) as app:
        async with otelq.connect(app.target) as client:
            async with client.transaction() as tx:
                for statement in TABLES:
                    await execute(tx, statement)
            run = Run(app, client, driver=driver, seed=seed, only=only)
            async with otelq.Worker(client, jobs, concurrency=3, poll_interval=0.2):
                await run.go(seconds)
                await run.drain()
            run.problems.update(await app.faults())
        gc.collect()
        await asyncio.sleep(0.1)
        run.problems.update(await app.faults())
    run.problems.update({text: times for text, times in heard.notes.items() if LOST in text})
    faults = await _compared(url, driver, run.books)
    return _report(run, faults, heard)


async def _compared(url: str, driver: str, books: Books) -> list[str]:
    """Compare the books with the tables, which are read by the plain driver, and return the differences."""
    plain = "aiosqlite" if driver in SQLITE else "asyncpg"
    job = "otelq_job" if driver in SQLITE else "otelq.job"
    async with application(url, plain) as app:
        async with app.transaction() as tx:
            started = await rows(tx, f"SELECT input FROM {job} WHERE type = 'quick' AND position = 0")
            numbers = await rows(tx, f"SELECT number FROM {ROWS}")
            left = [] if driver in SQLITE else await rows(tx, _LEFT)
        async with otelq.connect(url, migrate=False) as client:
            statuses = {chain.chain_id: str(chain.tail.status) async for chain in client.iterate_chains(type="kept")}
    found = Found(
        chains=Counter(int(input) for (input,) in started), rows=Counter(n for (n,) in numbers), statuses=statuses
    )
    faults = books.faults(found) + [str(violation) for violation in await violations(url)]
    return faults + [f"a session is left {state}: {query}" for state, query in left]


_LEFT = """
    SELECT state, left(query, 80) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


_ADDRESS = re.compile(r"\b(0x)?[0-9a-f]{8,}\b")


class Heard(logging.Handler):
    """Counts what is logged and warned of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.notes: Counter[str] = Counter()

    def note(self, text: str) -> None:
        """Count a note, by its first line."""
        self.notes[_ADDRESS.sub("...", text.partition("\n")[0])[:200]] += 1

    def of_loop(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Count what nobody else handles."""
        self.note(f"loop: {context.get('exception') or context['message']}")

    def of_warning(self, message: Warning | str, *where: Any, **rest: Any) -> None:
        """Count a warning."""
        self.note(f"warning: {message}")

    def emit(self, record: logging.LogRecord) -> None:
        raised = record.exc_info[1] if record.exc_info else None
        self.note(f"{record.name}: {record.getMessage().splitlines()[0]}" + (f" ({raised!r})" if raised else ""))


def _listen() -> Heard:
    heard = Heard()
    for name in LOGGERS:
        logging.getLogger(name).addHandler(heard)
        logging.getLogger(name).propagate = False
    warnings.simplefilter("always")
    warnings.showwarning = heard.of_warning
    sys.unraisablehook = lambda raised: heard.note(f"unraisable: {raised.exc_value!r} in {raised.object!r}")
    return heard


def _report(run: Run, faults: Sequence[str], heard: Heard) -> int:
    calls = run.books.calls
    ends = Counter((call.action, call.end) for call in calls)
    errors = Counter(f"{call.action}: {call.error[:150]}" for call in calls if call.error)
    stopped = sum(call.end != RETURNED for call in calls)
    for thread in threading.enumerate():
        if not thread.daemon and thread is not threading.main_thread():
            heard.note(f"left behind: {type(thread).__qualname__}, {thread.name.partition('-')[0]}")
    print(f"{len(calls)} calls, {stopped} of them cut short; {run.looks} looks; {len(ends)} kinds of ends")
    for title, items in (("raised", errors), ("logged", heard.notes), ("PROBLEM", run.problems)):
        for text, times in sorted(items.items()):
            print(f"{title} {times} x {text}")
    for fault in faults[:20]:
        print(f"FAULT {fault}")
    if len(faults) > 20:
        print(f"FAULT and {len(faults) - 20} more")
    return 1 if faults or run.problems else 0


def fall(problem: str) -> Any:
    """End the process at once: nothing in it can be relied on."""
    print(f"HANG {problem}", flush=True)
    faulthandler.dump_traceback(file=sys.stdout)
    sys.stdout.flush()
    os._exit(3)


if __name__ == "__main__":
    faulthandler.enable()
    given = sys.argv[1:]
    code = asyncio.run(main(given[0], given[1], float(given[2]), seed=int(given[3]), only=" ".join(given[4:])))
    sys.stdout.flush()
    os._exit(code)  # a thread that a driver left behind would be waited for
