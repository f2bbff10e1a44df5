"""``otelq migrate``: brings the tables up to date, checks that they are, or prints their SQL."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable

import click

from ..adapters import find_adapter
from ..connect import connect
from .database import client_of, without_driver
from .redaction import redact


@click.command()
@click.option("--url", envvar="OTELQ_URL", show_envvar=True, required=True, help="The database; with --sql, its kind.")
@click.option("--schema", default="otelq", show_default=True, help="The schema that holds otelq's tables.")
@click.option("--sql", "only_print", is_flag=True, help="Print the SQL for a new database, and connect to nothing.")
@click.option("--check", "only_check", is_flag=True, help="Migrate nothing; exit 1 if a migration is due.")
def migrate(url: str, schema: str, *, only_print: bool, only_check: bool) -> None:
    """Bring otelq's tables in a database up to date."""
    if only_print and only_check:
        raise click.UsageError("--sql and --check exclude each other; give one")
    if only_print:
        click.echo(dump_sql(url, schema), nl=False)
        return
    asyncio.run(_open(url, schema, change=not only_check))
    click.echo(f"{redact(url)}: schema {schema} is up to date")


def dump_sql(url: str, schema: str) -> str:
    """
    Return the SQL that creates the tables.

    It comes from the package of the adapter for the URL: a function ``dump(schema)`` beside its ``adapter``.

    Raises:
        InvalidArgument: no adapter is known for the URL, or its driver is missing.
        click.UsageError: the adapter needs no SQL.
    """
    url = without_driver(url)
    connect(url, schema=schema)  # checks URL, schema and driver, and opens nothing
    scheme = url.partition(":")[0].lower()
    entry = find_adapter("otelq.state", scheme, argument="url")
    module = None if entry is None else importlib.import_module(entry.module)
    dump: Callable[[str], str] | None = getattr(module, "dump", None)
    if dump is None:
        raise click.UsageError(f"{scheme}: has no tables, so there is no SQL to print")
    return dump(schema)


async def _open(url: str, schema: str, *, change: bool) -> None:
    opened = client_of(url, schema=schema, application="otelq migrate", migrate=change)
    async with opened as client, client:
        pass  # opening migrates, or checks
