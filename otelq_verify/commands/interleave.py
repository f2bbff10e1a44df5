"""``python -m otelq_verify interleave``: several open transactions, in a chosen order."""

from __future__ import annotations

import click

from otelq.adapters import is_private

from .output import print_all
from .stores import SCHEMA, borrowed, state_factory


@click.command(short_help="Choose the order of the statements of several open transactions.")
@click.argument("url")
@click.option("--only", default="", metavar="TEXT", help="Run the cases whose name contains TEXT, or the machine.")
@click.option("--examples", default=100, show_default=True, type=click.IntRange(1), help="Runs of the machine.")
@click.option("--steps", default=20, show_default=True, type=click.IntRange(1), help="Choices of a run, at most.")
def interleave(url: str, only: str, examples: int, steps: int) -> None:
    """
    Hold several transactions open at once on the database at URL, and choose whose step is next.

    First the named cases, then the machine, with other schedules every time: before every statement on PostgreSQL,
    elsewhere before every verb and commit. Works in the schema of the conformance kit, under its rules.
    """
    from ..interleave.runs import run_interleavings

    factory = state_factory(url)
    if is_private(url) or factory().sibling() is None:
        raise click.UsageError("this store cannot be reached by two at once; give one that processes can share")
    with borrowed(factory):
        passed = print_all(run_interleavings(factory, schema=SCHEMA, examples=examples, steps=steps, only=only))
    if passed is None:
        raise click.UsageError(f"no case has {only!r} in its name")
    raise SystemExit(0 if passed else 1)
