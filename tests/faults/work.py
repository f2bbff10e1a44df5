"""A worker in a process of its own: `python -m tests.faults.work URL NAME SERVE FOLDER`."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import otelq

from . import handlers


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.faults.work", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("name", help="what the worker is called in its leases")
    parser.add_argument("serve", choices=sorted(handlers.COLLECTIONS))
    parser.add_argument("folder", type=Path, help="where notes are kept")
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--max-crashes", type=int, default=1000)
    return parser.parse_args()


async def main(options: argparse.Namespace) -> None:
    """Serve until SIGTERM, with short intervals so that tests are short too."""
    notebook = handlers.Notebook(options.folder, options.name)
    async with otelq.connect(options.url, migrate=False) as client:
        worker = otelq.Worker(
            client,
            handlers.COLLECTIONS[options.serve],
            concurrency=options.concurrency,
            poll_interval=0.25,
            grace=2,
            provide=[notebook],
            name=options.name,
            reap_interval=1,
            max_crashes=options.max_crashes,
        )
        running = asyncio.create_task(worker.run())
        await asyncio.sleep(0)  # now it listens to signals
        notebook.note("up", options.name)
        await running


if __name__ == "__main__":
    asyncio.run(main(parsed()))
