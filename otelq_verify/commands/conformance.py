"""``python -m otelq_verify conformance``: the cases of both ports."""

from __future__ import annotations

import asyncio

import click

from ..conformance import (
    CASES,
    NOTIFY_CASES,
    Report,
    notify_cases_for,
    run_cases,
    run_notify_cases,
)
from .stores import STATE, borrowed, groups_of, notify_factory, state_factory


@click.command(short_help="Run the conformance kit.")
@click.argument("url")
@click.option("--only", default="", metavar="TEXT", help="Run the cases whose name contains TEXT.")
def conformance(url: str, only: str) -> None:
    """
    Run the conformance kit on the database, or on the notifier, at URL.

    Which of the two it is the URL's scheme says; memory: is both, and there are two reports.

    On a database it works in a schema of its own, otelq_conformance (on SQLite: tables with that prefix), which it
    makes and leaves empty. If jobs are stored there it refuses to run. No other user should use the notifier meanwhile.
    """
    reports: list[Report] = []
    for group in groups_of(url):
        reports.append(_run_state(url, only) if group == STATE else _run_notify(url, only))
        click.echo(str(reports[-1]))
    if not any(report.results for report in reports):
        raise click.UsageError(f"no case has {only!r} in its name")
    raise SystemExit(0 if all(report.passed for report in reports) else 1)


def _run_state(url: str, only: str) -> Report:
    factory = state_factory(url)
    with borrowed(factory):
        return asyncio.run(run_cases(factory, [case for case in CASES if only in case.name]))


def _run_notify(url: str, only: str) -> Report:
    factory = notify_factory(url)
    cases = notify_cases_for(factory())
    if left_out := len(NOTIFY_CASES) - len(cases):
        click.echo(f"\nof the notifier {left_out} cases are not run: it does not share hints with others\n")
    return asyncio.run(run_notify_cases(factory, [case for case in cases if only in case.name]))
