"""``python -m otelq_verify torture``: load, faults and a judgement."""

from __future__ import annotations

import asyncio
import logging
import secrets
from pathlib import Path

import click

from ..drivers import POSTGRES, SQLITE


@click.command(short_help="Break workers and network under load, and judge the history.")
@click.argument("url")
@click.option("--seconds", default=60.0, show_default=True, type=click.FloatRange(1), help="How long faults strike.")
@click.option("--seed", type=int, help="Of an earlier run; else one by chance.")
@click.option("--workers", default=3, show_default=True, type=click.IntRange(1), help="Worker processes.")
@click.option("--pace", default=4.0, show_default=True, type=click.FloatRange(0.1), help="Seconds between two faults.")
@click.option(
    "--driver",
    "drivers",
    multiple=True,
    type=click.Choice([*POSTGRES, *SQLITE]),
    help="How workers and clients reach the database; several take turns. Else as by the URL.",
)
@click.option(
    "--cancels",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="The share of what clients do that is cancelled.",
)
@click.option(
    "--json",
    "file",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the whole report there.",
)
def torture(
    url: str,
    seconds: float,
    seed: int | None,
    workers: int,
    pace: float,
    drivers: tuple[str, ...],
    cancels: float,
    file: Path | None,
) -> None:
    """
    Run chains of every kind on the database at URL while worker processes and their network fail, and judge the end.

    Workers and clients are started on this machine and reach PostgreSQL through a proxy; processes are killed and
    stopped, connections cut, delayed and half-opened, clocks skewed, hints lost. The database itself is left alone.
    Afterwards everything is let finish, and the history of every row, what the handlers wrote down and what the clients
    know are held against the invariants.

    The seed decides which faults strike in which order and what is started, not how processes, network and disk are
    timed: two runs of one seed are alike, not the same.

    Works in a schema of its own, otelq_torture (on SQLite: tables with that prefix), which it leaves empty, and in
    tables named otelq_torture_... where tables are made by default, which it drops. If jobs are stored there it refuses
    to run. Exits with 1 if anything is violated.
    """
    from ..torture import TorturePlan
    from ..torture import torture as run_torture

    plan = TorturePlan(
        seed=secrets.randbits(32) if seed is None else seed,
        seconds=seconds,
        workers=workers,
        pace=pace,
        drivers=drivers or (None,),
        cancels=cancels,
    )
    click.echo(f"seed {plan.seed}", err=True)
    logging.basicConfig(level=logging.ERROR, format="%(asctime)s %(message)s")
    logging.getLogger("otelq_verify.torture").setLevel(logging.INFO)
    report = asyncio.run(run_torture(url, plan))
    if file is not None:
        file.write_text(report.as_json())
    click.echo(str(report))
    raise SystemExit(0 if report.is_clean else 1)
