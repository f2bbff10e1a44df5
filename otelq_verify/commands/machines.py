"""``python -m otelq_verify machines``: an adapter beside a model of it."""

from __future__ import annotations

import click

from .output import print_all
from .stores import borrowed, state_factory


@click.command(short_help="Compare generated sequences of verbs with a model.")
@click.argument("url")
@click.option("--only", default="", metavar="TEXT", help="Run the machines whose name contains TEXT.")
@click.option("--examples", default=100, show_default=True, type=click.IntRange(1), help="Runs of each machine.")
@click.option("--steps", default=30, show_default=True, type=click.IntRange(1), help="Steps of a run, at most.")
def machines(url: str, only: str, examples: int, steps: int) -> None:
    """
    Run the state machines on the database at URL.

    Other steps every time: the longer, the better. Works in the schema of the conformance kit, under its rules.
    """
    from ..machines import MACHINES
    from ..machines.runs import run_machines

    factory = state_factory(url)
    chosen = [machine for machine in MACHINES if only in machine.__name__]
    if not chosen:
        raise click.UsageError(f"no machine has {only!r} in its name")
    with borrowed(factory):
        passed = print_all(run_machines(chosen, factory, examples=examples, steps=steps))
    raise SystemExit(0 if passed else 1)
