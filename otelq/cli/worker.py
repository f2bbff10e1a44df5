"""``otelq worker``: runs the jobs of an application until a signal stops it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import click

from ..adapters import is_private
from ..connect import connect
from ..definitions import Jobs
from ..logs import Log
from ..worker import Worker
from .collections import load_collections
from .redaction import RedactingFormatter

logger = Log("otelq.cli")

LEVELS = ("debug", "info", "warning", "error")
LINE = "%(asctime)s %(levelname)-7s %(name)s  %(message)s"


@click.command()
@click.argument("collections", nargs=-1, required=True, metavar="MODULE:JOBS...")
@click.option("--url", envvar="OTELQ_URL", show_envvar=True, required=True, help="The database that holds the jobs.")
@click.option("--schema", default="otelq", show_default=True, help="The schema that holds otelq's tables.")
@click.option("--concurrency", type=int, default=10, show_default=True, help="How many attempts run at once.")
@click.option(
    "--poll-interval",
    type=float,
    help="The longest time between two searches for due jobs, in seconds.  [default: 30, or 2 without hints]",
)
@click.option(
    "--grace", type=float, default=30.0, show_default=True, help="Seconds that running attempts have to finish."
)
@click.option("--name", help="The name of this worker in leases and logs.  [default: host, process, random]")
@click.option(
    "--log-level",
    type=click.Choice(LEVELS, case_sensitive=False),
    default="info",
    show_default=True,
    help="The lowest level of log lines to show.",
)
def worker(
    collections: Sequence[str],
    url: str,
    schema: str,
    concurrency: int,
    poll_interval: float | None,
    grace: float,
    name: str | None,
    log_level: str,
) -> None:
    """
    Run the jobs of one or more collections.

    Each MODULE:JOBS names an otelq.Jobs() in a module that can be imported, also from the current folder. SIGINT,
    SIGTERM and SIGHUP stop the worker. Running attempts get 30 seconds (--grace), then they are cancelled, and their
    jobs run again elsewhere. A second signal cancels them at once.
    """
    _log_to_stderr(log_level)  # before the modules of the application are imported, which may log
    jobs = load_collections(collections)
    if is_private(url):
        raise click.UsageError(f"{url} is private to one process, so this worker would never find a job")
    asyncio.run(
        serve(
            jobs, url=url, schema=schema, concurrency=concurrency, poll_interval=poll_interval, grace=grace, name=name
        )
    )


async def serve(
    jobs: Sequence[Jobs],
    *,
    url: str,
    schema: str,
    concurrency: int,
    poll_interval: float | None,
    grace: float,
    name: str | None,
) -> None:
    """Run a worker until a signal stops it; bad options raise before the database is opened."""
    # The worker is made before the client is opened: a wrong option raises before the schema is migrated.
    client = connect(url, schema=schema)
    work = Worker(client, *jobs, concurrency=concurrency, poll_interval=poll_interval, grace=grace, name=name)
    async with client:
        await work.run()
    logger.info("the worker has stopped")


def _log_to_stderr(level: str) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(RedactingFormatter(LINE))
    logging.basicConfig(level=level.upper(), handlers=[handler])
