"""``python -m otelq.testing``: proofs to run on one's own database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import click

from ..errors import OtelqError
from ..model import JobQuery
from ..ports.notify import NotifyAdapter
from ..ports.state import StateAdapter
from .cases import Factory, Report, run_cases
from .crashpoints.command import command as crashpoints
from .notify_cases import NOTIFY_CASES, notify_cases_for
from .notify_kit import NotifyFactory, run_notify_cases
from .state_cases import CASES
from .torture.command import command as torture

SCHEMA = "otelq_conformance"


@click.group()
def main() -> None:
    """Prove that an adapter and a database keep otelq's promises."""


main.add_command(crashpoints)
main.add_command(torture)


@main.command()
@click.argument("url")
@click.option("--only", default="", metavar="TEXT", help="Run the cases whose name contains TEXT.")
def conformance(url: str, only: str) -> None:
    """
    Run the conformance kit on the database, or on the notifier, at URL.

    Which of the two it is the URL's scheme says; memory: is both, and there are two reports.

    On a database it works in a schema of its own, otelq_conformance (on SQLite: tables with that prefix), which it
    makes and leaves empty. If jobs are stored there it refuses to run. A notifier should serve nobody else meanwhile.
    """
    passed = True
    for kit in _kits(url):
        try:
            report = asyncio.run(kit(url, only))
        except OtelqError as error:
            raise click.ClickException(str(error)) from error
        click.echo(str(report))
        passed = passed and report.passed
    raise SystemExit(0 if passed else 1)


def _kits(url: str) -> Sequence[Callable[[str, str], Coroutine[Any, Any, Report]]]:
    """The kits for what the scheme names: of state adapters, of notify adapters, or both."""
    kits = {"otelq.state": _run, "otelq.notify": _run_notifier}
    found = [kit for group, kit in kits.items() if _entry(group, url)]
    if not found:
        raise _unknown(url, *kits)
    return found


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


@main.command()
@click.argument("url")
@click.option("--only", default="", metavar="TEXT", help="Run the cases whose name contains TEXT, or the machine.")
@click.option("--examples", default=100, show_default=True, type=click.IntRange(1), help="Runs of the machine.")
@click.option("--steps", default=20, show_default=True, type=click.IntRange(1), help="Choices of a run, at most.")
def interleave(url: str, only: str, examples: int, steps: int) -> None:
    """
    Hold several transactions open at once on the database at URL, and choose whose step is next.

    First the named cases, then the machine, with other schedules every time: before every statement on PostgreSQL,
    elsewhere before every verb and commit. Works in the schema of the conformance kit, under its rules. Needs
    Hypothesis, which is in the extra "testing".
    """
    from .interleaving.running import run_interleavings  # Hypothesis again

    factory = _factory(url)
    if factory().sibling() is None:
        raise click.UsageError("this store cannot be reached by two at once; give one that processes can share")
    asyncio.run(_refuse_what_is_in_use(factory()))
    passed = True
    for run in run_interleavings(factory, schema=SCHEMA, examples=examples, steps=steps, only=only):
        click.echo(str(run))
        passed = passed and run.passed
    asyncio.run(_empty(factory()))
    raise SystemExit(0 if passed else 1)


async def _run(url: str, only: str) -> Report:
    factory = _factory(url)
    await _refuse_what_is_in_use(factory())
    report = await run_cases(factory, [case for case in CASES if only in case.name])
    await _empty(factory())
    return report


async def _run_notifier(url: str, only: str) -> Report:
    factory = _notify_factory(url)
    cases = notify_cases_for(factory())
    if left_out := len(NOTIFY_CASES) - len(cases):
        click.echo(f"\nof the notifier {left_out} cases are not run: it shares no place with others\n")
    return await run_notify_cases(factory, [case for case in cases if only in case.name])


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
    entry = _entry("otelq.state", url)
    if entry is None:
        raise _unknown(url, "otelq.state")
    make = entry.load()

    def factory() -> StateAdapter:
        adapter: StateAdapter = make(url, schema=SCHEMA)
        return adapter

    return factory


def _notify_factory(url: str) -> NotifyFactory:
    entry = _entry("otelq.notify", url)
    if entry is None:
        raise _unknown(url, "otelq.notify")
    make = entry.load()

    def factory() -> NotifyAdapter:
        adapter: NotifyAdapter = make(url)
        return adapter

    return factory


def _entry(group: str, url: str) -> EntryPoint | None:
    return next(iter(entry_points(group=group, name=_scheme(url))), None)


def _unknown(url: str, *groups: str) -> click.UsageError:
    known = ", ".join(sorted({entry.name for group in groups for entry in entry_points(group=group)}))
    return click.UsageError(f"no adapter for {_scheme(url)}: is installed; known are {known}")


def _scheme(url: str) -> str:
    return url.partition(":")[0].lower()


if __name__ == "__main__":
    main(prog_name="python -m otelq.testing")
