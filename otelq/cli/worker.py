"""``otelq worker``: runs the workers of an application until a signal stops them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from ..spawn import spawn
from ..worker import WorkerHealth
from ..worker.signals import signals
from .health import Address, answering, parse_address
from .log import log_to_stderr
from .options import WorkerOptions
from .reload import check_watchfiles, watch
from .runner import Runner
from .supervisor import REPORT_TIMEOUT, Limits, Supervisor
from .targets import load_targets

LEVELS = ("debug", "info", "warning", "error")


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
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    help="Run so many processes with these workers each, and start those that die again.  [default: this process]",
)
@click.option(
    "--max-jobs", type=click.IntRange(min=1), metavar="N", help="Replace a process once it has run N attempts."
)
@click.option(
    "--max-memory",
    type=click.FloatRange(min=0, min_open=True),
    metavar="MB",
    help="Replace a process once it has so many megabytes of memory.",
)
@click.option("--reload", is_flag=True, help="Start the workers anew when a Python file of the current folder changes.")
@click.option(
    "--health",
    callback=parse_address,
    metavar="[HOST:]PORT",
    help="Answer GET /live and GET /ready with 200 or 503, for the probes of an orchestrator.",
)
@click.pass_context
def worker(
    context: click.Context,
    /,
    targets: Sequence[str],
    queues: Sequence[str],
    processes: int | None,
    max_jobs: int | None,
    max_memory: float | None,
    health: Address | None,
    *,
    reload: bool,
    **given: Any,
) -> None:
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
    limits = Limits(jobs=max_jobs, memory=max_memory)
    if reload:
        _check_reload(processes)
    if processes is None and not reload and not limits.are_set:
        runner = Runner(load_targets(options.targets), options)
        return asyncio.run(_run(runner, health))
    asyncio.run(_supervise(options, health, processes=processes or 1, limits=limits, reload=reload))


def _check_reload(processes: int | None) -> None:
    if processes not in (None, 1):
        raise click.UsageError("--reload is for one process; leave out --processes")
    check_watchfiles()


async def _run(runner: Runner, address: Address | None) -> None:
    with signals(runner.on_signal), _answering(address, lambda: runner.health):
        await runner.run()


async def _supervise(
    options: WorkerOptions, address: Address | None, *, processes: int, limits: Limits, reload: bool
) -> None:
    supervisor = Supervisor(options, processes=processes, limits=limits, reloads=reload)
    loop = asyncio.get_running_loop()

    def health() -> WorkerHealth:
        asked = asyncio.run_coroutine_threadsafe(supervisor.health(), loop)
        try:
            return asked.result(REPORT_TIMEOUT + 1)
        except TimeoutError:
            return WorkerHealth(live=False, ready=False, problem="the supervisor does not answer")

    with signals(supervisor.on_signal), _answering(address, health):
        watching = spawn(watch(Path.cwd(), supervisor.reload)) if reload else None
        try:
            await supervisor.run()
        finally:
            if watching is not None:
                watching.cancel()
                _ = await asyncio.wait([watching])


def _answering(address: Address | None, health: Callable[[], WorkerHealth]) -> AbstractContextManager[object]:
    return nullcontext() if address is None else answering(address, health)
