"""``python -m otelq_verify``: proofs to run on one's own database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from importlib.metadata import EntryPoint
from typing import Protocol

import click

from otelq.adapters import find, known
from otelq.errors import OtelqError
from otelq.model import JobQuery
from otelq.ports.notify import NotifyAdapter
from otelq.ports.state import StateAdapter

from .cases import Factory, Report, run_cases
from .crashpoints.command import command as crashpoints
from .notify_cases import NOTIFY_CASES, notify_cases_for
from .notify_kit import NotifyFactory, run_notify_cases
from .places import is_private
from .state_cases import CASES
from .torture.command import command as torture

SCHEMA = "otelq_conformance"


class Proofs(click.Group):
    """Answers a mistake, and a database that cannot be used, with one sentence."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except OtelqError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Proofs)
def main() -> None:
    """
    Prove that an adapter and a database keep otelq's promises.

    Every command takes the URL of a database, as otelq.connect does: postgresql://user@host/database or
    sqlite:///file.db. It works beside what is stored there, in a schema of its own, which it makes and leaves empty
    however it ends, and exits with 0 if all was kept, with 1 if not or if the database cannot be used, and with 2 if
    it was called wrongly. It needs otelq's extras postgres and verify, and time: give it a database of nobody else.
    """


main.add_command(crashpoints)
main.add_command(torture)


@main.command(short_help="Run the conformance kit.")
@click.argument("url")
@click.option("--only", default="", metavar="TEXT", help="Run the cases whose name contains TEXT.")
def conformance(url: str, only: str) -> None:
    """
    Run the conformance kit on the database, or on the notifier, at URL.

    Which of the two it is the URL's scheme says; memory: is both, and there are two reports.

    On a database it works in a schema of its own, otelq_conformance (on SQLite: tables with that prefix), which it
    makes and leaves empty. If jobs are stored there it refuses to run. A notifier should serve nobody else meanwhile.
    """
    reports: list[Report] = []
    for kit in _kits(url):
        reports.append(kit(url, only))
        click.echo(str(reports[-1]))
    if not any(report.results for report in reports):
        raise click.UsageError(f"no case has {only!r} in its name")
    raise SystemExit(0 if all(report.passed for report in reports) else 1)


def _kits(url: str) -> Sequence[Callable[[str, str], Report]]:
    """The kits for what the scheme names: of state adapters, of notify adapters, or both."""
    kits = {"otelq.state": _run, "otelq.notify": _run_notifier}
    found = [kit for group, kit in kits.items() if _entry(group, url)]
    if not found:
        raise _unknown(url, *kits)
    return found


@main.command(short_help="Compare generated sequences of verbs with a model.")
@click.argument("url")
@click.option("--only", default="", metavar="TEXT", help="Run the machines whose name contains TEXT.")
@click.option("--examples", default=100, show_default=True, type=click.IntRange(1), help="Runs of each machine.")
@click.option("--steps", default=30, show_default=True, type=click.IntRange(1), help="Steps of a run, at most.")
def machines(url: str, only: str, examples: int, steps: int) -> None:
    """
    Run the state machines on the database at URL.

    Other steps every time: the longer, the better. Works in the schema of the conformance kit, under its rules. Needs
    Hypothesis, which is in the extra "verify".
    """
    from .machines import MACHINES  # Hypothesis is there if asked for: nothing else of this command needs it
    from .machines.running import run_machines

    factory = _factory(url)
    chosen = [machine for machine in MACHINES if only in machine.__name__]
    if not chosen:
        raise click.UsageError(f"no machine has {only!r} in its name")
    with _borrowed(factory):
        passed = _told(run_machines(chosen, factory, examples=examples, steps=steps))
    raise SystemExit(0 if passed else 1)


@main.command(short_help="Choose the order of the statements of several open transactions.")
@click.argument("url")
@click.option("--only", default="", metavar="TEXT", help="Run the cases whose name contains TEXT, or the machine.")
@click.option("--examples", default=100, show_default=True, type=click.IntRange(1), help="Runs of the machine.")
@click.option("--steps", default=20, show_default=True, type=click.IntRange(1), help="Choices of a run, at most.")
def interleave(url: str, only: str, examples: int, steps: int) -> None:
    """
    Hold several transactions open at once on the database at URL, and choose whose step is next.

    First the named cases, then the machine, with other schedules every time: before every statement on PostgreSQL,
    elsewhere before every verb and commit. Works in the schema of the conformance kit, under its rules. Needs
    Hypothesis, which is in the extra "verify".
    """
    from .interleaving.running import run_interleavings  # Hypothesis again

    factory = _factory(url)
    if is_private(url) or factory().sibling() is None:
        raise click.UsageError("this store cannot be reached by two at once; give one that processes can share")
    with _borrowed(factory):
        passed = _told(run_interleavings(factory, schema=SCHEMA, examples=examples, steps=steps, only=only))
    if passed is None:
        raise click.UsageError(f"no case has {only!r} in its name")
    raise SystemExit(0 if passed else 1)


class _Told(Protocol):
    @property
    def passed(self) -> bool: ...


def _told(runs: Iterable[_Told]) -> bool | None:
    """Print what became of each as it ends; whether all passed, and None if there was none."""
    passed: bool | None = None
    for run in runs:
        click.echo(str(run))
        passed = run.passed and passed is not False
    return passed


def _run(url: str, only: str) -> Report:
    factory = _factory(url)
    with _borrowed(factory):
        return asyncio.run(run_cases(factory, [case for case in CASES if only in case.name]))


def _run_notifier(url: str, only: str) -> Report:
    factory = _notify_factory(url)
    cases = notify_cases_for(factory())
    if left_out := len(NOTIFY_CASES) - len(cases):
        click.echo(f"\nof the notifier {left_out} cases are not run: it shares no place with others\n")
    return asyncio.run(run_notify_cases(factory, [case for case in cases if only in case.name]))


@contextmanager
def _borrowed(factory: Factory) -> Generator[None]:
    """A schema that nobody uses, and that is left empty however the block ends."""
    asyncio.run(_refuse_what_is_in_use(factory()))
    try:
        yield
    finally:
        asyncio.run(_empty(factory()))


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
    return find(group, _scheme(url), argument="url")


def _unknown(url: str, *groups: str) -> click.UsageError:
    schemes = ", ".join(sorted({scheme for group in groups for scheme in known(group)}))
    return click.UsageError(f"no adapter for {_scheme(url)}: is installed; known are {schemes}")


def _scheme(url: str) -> str:
    return url.partition(":")[0].lower()


if __name__ == "__main__":
    main(prog_name="python -m otelq_verify")
