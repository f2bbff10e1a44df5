"""A worker in a process of its own: ``python -m otelq_verify.torture.work URL NAME FOLDER``."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

from otelq.client import Client
from otelq.connect import connect
from otelq.definitions import Jobs
from otelq.errors import Unavailable
from otelq.worker import Worker

from ..drivers import application
from .faults.clock import relaunch
from .faults.hints import KINDS, unreliable
from .fleet import Notes
from .handlers import MAX_CRASHES, fragile_jobs, jobs
from .history import Diary
from .plan import POLL_INTERVAL, REAP_INTERVAL, SCHEMA

OUT_OF_REACH = 1_000_000
AGAIN = 0.2
LIMITS: Final = {"connect_timeout": 3.0, "command_timeout": 5.0}
CONNECTIONS: Final = 16
"""The connections of a pool or an engine: more than there are attempts and clients at once."""

_PARENT = os.getppid()


def parsed() -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(prog="otelq_verify.torture.work", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("name", help="what the worker is called in its leases")
    parser.add_argument("folder", type=Path, help="where notes are kept")
    parser.add_argument("--schema", default=SCHEMA)
    parser.add_argument("--driver", help="by which it reaches the database")
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--clock-skew", metavar="SECONDS[@AFTER]", help="by how much its wall clock is wrong")
    parser.add_argument("--hints", choices=KINDS, help="what becomes of its hints")
    parser.add_argument("--seed", type=int, default=0, help="of the chances of its hints")
    return parser.parse_args()


async def main(options: argparse.Namespace) -> None:
    """Serve until SIGTERM, with short intervals so that short runs cover much."""
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)
    async with connected(options) as client, AsyncExitStack() as workers:
        for worker in (steady(client, options), fragile(client, options)):
            await workers.enter_async_context(worker)
        Notes(options.folder).note("up", options.name)
        while not asked.is_set() and not is_orphan():
            with suppress(TimeoutError):
                await asyncio.wait_for(asked.wait(), 1.0)


@asynccontextmanager
async def connected(options: argparse.Namespace) -> AsyncGenerator[Client]:
    """Yield the client of this worker; wait for a database that is away when the process starts."""
    notify = unreliable(options.hints, options.seed) if options.hints else "auto"
    async with reaching(options.url, options.driver) as target:
        client = connect(target, notify=notify, schema=options.schema, migrate=False, **options_for(options.url))
        while not is_orphan():
            with suppress(Unavailable):
                await client.open()
                break
            await asyncio.sleep(AGAIN)
        try:
            yield client
        finally:
            await client.aclose()


@asynccontextmanager
async def reaching(url: str, driver: str | None) -> AsyncGenerator[Any]:
    """Yield the target for ``connect``: the URL, or the pool or the engine of an application."""
    if driver is None:
        yield url
        return
    async with application(url, driver, size=CONNECTIONS, patience=LIMITS["connect_timeout"]) as made:
        yield made.target


def is_orphan() -> bool:
    """Return True if the run that started this process has ended: then no other process would stop this one."""
    return os.getppid() != _PARENT


def options_for(url: str) -> dict[str, Any]:
    """Return the options for ``connect`` in a run: short limits, so that a lost reply is soon noticed."""
    return {} if is_sqlite(url) else {**LIMITS}


def is_sqlite(url: str) -> bool:
    """Return True if the database is a file."""
    return url.startswith("sqlite:")


def steady(client: Client, options: argparse.Namespace) -> Worker:
    """Return a worker for the jobs that survive any number of crashes."""
    return _worker(client, jobs, options=options, name=options.name, max_crashes=OUT_OF_REACH)


def fragile(client: Client, options: argparse.Namespace) -> Worker:
    """Return a worker for the jobs that do not. Its leases have the same name and a suffix."""
    return _worker(client, fragile_jobs, options=options, name=f"{options.name}.fragile", max_crashes=MAX_CRASHES)


def _worker(client: Client, served: Jobs, *, options: argparse.Namespace, **rest: Any) -> Worker:
    return Worker(
        client,
        served,
        concurrency=options.concurrency,
        poll_interval=POLL_INTERVAL,
        reap_interval=REAP_INTERVAL,
        grace=2,
        middleware=[Diary(rest["name"])],
        **rest,
    )


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    given = parsed()
    if given.clock_skew:
        relaunch(given.clock_skew)
    asyncio.run(main(given))
