"""``otelq worker``: runs the workers of an application until a signal stops them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import click
from click.core import ParameterSource

from ..worker.signals import signals
from .options import WorkerOptions
from .redaction import RedactingFormatter
from .runner import Runner
from .targets import load_targets

LEVELS = ("debug", "info", "warning", "error")
LINE = "%(asctime)s %(levelname)-7s %(name)s  %(message)s"


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@click.option("--url", envvar="OTELQ_URL", show_envvar=True, help="The database, for targets that are collections.")
@click.option("--schema", help="The schema of otelq's tables, for targets that are collections.  [default: otelq]")
@click.option("--concurrency", type=int, help="How many attempts run at once.  [default: the worker's, or 10]")
@click.option(
    "--poll-interval",
    type=float,
    help="The longest time between two searches for due jobs, in seconds.  [default: 30, or 2 without hints]",
)
@click.option(
    "--grace", type=float, help="Seconds that running attempts have to finish.  [default: the worker's, or 30]"
)
@click.option(
    "--queues",
    multiple=True,
    metavar="NAME,...",
    help="Run only the jobs of these queues; can be repeated.  [default: the worker's, or all]",
)
@click.option("--name", help="The name of the worker in leases and logs.  [default: host, process, random]")
@click.option(
    "--log-level",
    type=click.Choice(LEVELS, case_sensitive=False),
    default="info",
    show_default=True,
    help="The lowest level of log lines to show.",
)
@click.pass_context
def worker(context: click.Context, /, targets: Sequence[str], queues: Sequence[str], **given: Any) -> None:
    """
    Run the workers of an application.

    Each TARGET is written as module:attribute, and is an otelq.Worker, a function or async context manager that yields
    one, or a collection otelq.Jobs(). Modules in the current folder are found too. SIGINT, SIGTERM and SIGHUP stop the
    workers. Running attempts get their grace, 30 seconds by default, then they are cancelled, and their jobs run again
    elsewhere. A second signal cancels them at once.
    """
    is_url_given = context.get_parameter_source("url") is ParameterSource.COMMANDLINE
    names = tuple(name.strip() for part in queues for name in part.split(","))
    options = WorkerOptions(targets=tuple(targets), is_url_given=is_url_given, queues=names, **given)
    log_to_stderr(options.log_level)  # before the modules of the application are imported, which may log
    asyncio.run(_run(Runner(load_targets(options.targets), options)))


async def _run(runner: Runner) -> None:
    with signals(runner.request_stop):
        await runner.run()


def log_to_stderr(level: str) -> None:
    """Show log lines from a level on, without passwords."""
    handler = logging.StreamHandler()
    handler.setFormatter(RedactingFormatter(LINE))
    logging.basicConfig(level=level.upper(), handlers=[handler])
