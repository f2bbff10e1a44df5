"""A worker that faults are tried on: `python -m tests.torture.worker_process URL NAME FOLDER`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import time
from pathlib import Path
from typing import Any

import otelq
from otelq_verify.torture.faults.clock import relaunch
from otelq_verify.torture.faults.hints import KINDS, unreliable
from tests.faults import handlers

REAP_INTERVAL = 0.5


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.torture.worker_process", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("name", help="what the worker is called in its leases")
    parser.add_argument("folder", type=Path, help="where notes are kept")
    parser.add_argument("--clock-skew", metavar="SECONDS[@AFTER]")
    parser.add_argument("--hints", choices=KINDS)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


async def main(options: argparse.Namespace) -> None:
    """Serve until SIGTERM."""
    notebook = handlers.Notebook(options.folder, options.name)
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)
    async with client(options) as connected, worker(connected, notebook, options):
        notebook.note("clock", options.name, time.time())
        notebook.note("up", options.name)
        await asked.wait()


def client(options: argparse.Namespace) -> otelq.Client:
    """No statement is waited for longer than a lease."""
    limits: dict[str, Any] = {} if options.url.startswith("sqlite") else {"command_timeout": 2, "connect_timeout": 2}
    notify = unreliable(options.hints, options.seed) if options.hints else "auto"
    return otelq.connect(options.url, migrate=False, notify=notify, **limits)


def worker(client: otelq.Client, notebook: handlers.Notebook, options: argparse.Namespace) -> otelq.Worker:
    return otelq.Worker(
        client,
        handlers.walks,
        concurrency=4,
        poll_interval=0.25,
        grace=2,
        provide=[notebook],
        name=options.name,
        reap_interval=REAP_INTERVAL,
        max_crashes=1000,
    )


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    chosen = parsed()
    if chosen.clock_skew:
        relaunch(chosen.clock_skew)
    asyncio.run(main(chosen))
