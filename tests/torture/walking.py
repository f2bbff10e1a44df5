"""A worker that faults are tried on: `python -m tests.torture.walking URL NAME FOLDER`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
from pathlib import Path
from typing import Any

import otelq
from tests.faults import handlers

REAP_INTERVAL = 0.5


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.torture.walking", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("name", help="what the worker is called in its leases")
    parser.add_argument("folder", type=Path, help="where notes are kept")
    return parser.parse_args()


async def main(options: argparse.Namespace) -> None:
    """Serve until SIGTERM; no statement is waited for longer than a lease."""
    notebook = handlers.Notebook(options.folder, options.name)
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)
    limits: dict[str, Any] = {} if options.url.startswith("sqlite") else {"command_timeout": 2, "connect_timeout": 2}
    async with (
        otelq.connect(options.url, migrate=False, **limits) as client,
        otelq.Worker(
            client,
            handlers.walks,
            concurrency=4,
            poll_interval=0.25,
            grace=2,
            provide=[notebook],
            name=options.name,
            reap_interval=REAP_INTERVAL,
            max_crashes=1000,
        ),
    ):
        notebook.note("up", options.name)
        await asked.wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    asyncio.run(main(parsed()))
