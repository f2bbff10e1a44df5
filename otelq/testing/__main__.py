"""``python -m otelq.testing``: proofs to run on one's own database."""

from __future__ import annotations

import asyncio
from importlib.metadata import entry_points

import click

from ..errors import OtelqError
from ..model import JobQuery
from ..ports.state import StateAdapter
from .cases import Factory, Report, run_cases
from .state_cases import CASES

SCHEMA = "otelq_conformance"


@click.group()
def main() -> None:
    """Prove that an adapter and a database keep otelq's promises."""


@main.command()
@click.argument("url")
@click.option("--only", default="", metavar="TEXT", help="Run the cases whose name contains TEXT.")
def conformance(url: str, only: str) -> None:
    """
    Run the conformance kit on the database at URL.

    Works in a schema of its own, otelq_conformance (on SQLite: tables with that prefix), which it makes and leaves
    empty. If jobs are stored there it refuses to run.
    """
    factory = _factory(url)
    try:
        report = asyncio.run(_run(factory, only))
    except OtelqError as error:
        raise click.ClickException(str(error)) from error
    click.echo(str(report))
    raise SystemExit(0 if report.passed else 1)


@main.command()
@click.argument("url")
@click.option("--only", default="", metavar="TEXT", help="Run the machines whose name contains TEXT.")
@click.option("--examples", default=100, show_default=True, type=click.IntRange(1), help="Runs of each machine.")
@click.option("--steps", default=30, show_default=True, type=click.IntRange(1), help="Steps of a run, at most.")
def machines(url: str, only: str, examples: int, steps: int) -> None:
    """
    Run the state machines on the database at URL.

    Other steps every time: the longer, the better. Works in the schema of the conformance kit, under its rules. Needs
    Hypothesis, which is in the extra "testing".
    """
    from .machines import MACHINES  # Hypothesis is there if asked for: nothing else of this command needs it
    from .machines.running import run_machines

    factory = _factory(url)
    asyncio.run(_refuse_what_is_in_use(factory()))
    passed = True
    for run in run_machines(
        [machine for machine in MACHINES if only in machine.__name__], factory, examples=examples, steps=steps
    ):
        click.echo(str(run))
        passed = passed and run.passed
    asyncio.run(_empty(factory()))
    raise SystemExit(0 if passed else 1)


async def _run(factory: Factory, only: str) -> Report:
    await _refuse_what_is_in_use(factory())
    report = await run_cases(factory, [case for case in CASES if only in case.name])
    await _empty(factory())
    return report


async def _refuse_what_is_in_use(adapter: StateAdapter) -> None:
    await adapter.open()
    try:
        page = await adapter.jobs(JobQuery(limit=1))
    finally:
        await adapter.close()
    if page.items:
        raise click.ClickException(f"the schema {SCHEMA} holds jobs; drop it if nobody needs them, and run again")


async def _empty(adapter: StateAdapter) -> None:
    await adapter.open()
    try:
        await adapter.truncate_all()
    finally:
        await adapter.close()


def _factory(url: str) -> Factory:
    scheme = url.partition(":")[0].lower()
    found = next(iter(entry_points(group="otelq.state", name=scheme)), None)
    if found is None:
        known = ", ".join(sorted({entry.name for entry in entry_points(group="otelq.state")}))
        raise click.UsageError(f"no adapter for {scheme}: is installed; known are {known}")
    make = found.load()

    def factory() -> StateAdapter:
        adapter: StateAdapter = make(url, schema=SCHEMA)
        return adapter

    return factory


if __name__ == "__main__":
    main(prog_name="python -m otelq.testing")
