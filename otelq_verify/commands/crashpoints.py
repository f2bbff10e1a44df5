"""``python -m otelq_verify crashpoints``: the sweep."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

import click

from ..drivers import POSTGRES, SQLITE

if TYPE_CHECKING:
    from ..crashpoints import Swept

SCHEMA: Final = "otelq_crashpoints"


@click.command("crashpoints", short_help="Interrupt every verb at every statement that it makes.")
@click.argument("url")
@click.option("--only", default="", metavar="TEXT", help="Run the scenarios whose name contains TEXT.")
@click.option(
    "--driver", type=click.Choice([*POSTGRES, *SQLITE]), help="How the database is reached; else as by the URL."
)
def crashpoints(url: str, only: str, driver: str | None) -> None:
    """
    Interrupt every verb at every statement that it makes, on the database at URL, and carry the work on.

    On PostgreSQL the connection dies before a statement, its reply is lost, or the process dies after it; the way to
    the server is not encrypted, so that a server that insists on TLS cannot be swept. On SQLite the disk fails or is
    full at a statement, or the process dies after it, and is a real one. On both the caller is cancelled while a
    statement is on its way, by its task or by a scope of anyio. Works in a schema of its own,
    otelq_crashpoints (on SQLite: tables with that prefix), which it makes and leaves empty. If jobs are stored there
    it refuses to run. Exits with 1 if anything is found.
    """
    from ..crashpoints import summary

    logging.getLogger("otelq.effects").setLevel(logging.ERROR)  # a frozen client warns of its lost commit when it ends
    done = asyncio.run(_run(url, only, driver))
    if not done:
        raise click.UsageError(f"no scenario has {only!r} in its name")
    click.echo(f"\n{summary(done)}")
    raise SystemExit(0 if all(swept.survived for swept in done) else 1)


async def _run(url: str, only: str, driver: str | None) -> list[Swept]:
    from ..crashpoints import SCENARIOS, line, sweep
    from ..crashpoints.stages import stage_at

    done: list[Swept] = []
    async with stage_at(url, schema=SCHEMA, driver=driver) as stage:
        async for swept in sweep(stage, [scenario for scenario in SCENARIOS if only in scenario.name]):
            click.echo(line(swept))
            done.append(swept)
    return done
