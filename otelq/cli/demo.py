"""``otelq demo``: runs a small order workflow, shows its chains and its traces, and checks the outcomes."""

from __future__ import annotations

import asyncio
import io
import logging
import shutil
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import click
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..client import Client
from ..connect import connect
from . import chain_tree, waterfall
from .demo_script import ATTEMPTS, Check, DemoResult, check_outcomes, run_orders
from .order import Reporter
from .redaction import redact
from .span_recorder import ADVICE, SpanRecorder

SCHEMA = "otelq_demo"
PLAIN_WIDTH = 120
"""Columns of output that is no terminal."""
WIDE = 100
"""The fewest columns for a long time line."""


@click.command()
@click.option("--url", help="Run on this database, in schema otelq_demo.  [default: SQLite in a temporary folder]")
@click.option("--keep", is_flag=True, help="Do not delete the folder, or the chains in the database, at the end.")
def demo(url: str | None, *, keep: bool) -> int:
    """
    Run an order workflow; show its chains in the database and its traces.

    It has a branch, a retry, a fan-in and a delayed step, and takes about three seconds. The exit code is 0 only if
    every outcome is as expected.
    """
    logging.getLogger("otelq").setLevel(logging.ERROR)  # one attempt fails on purpose, and is reported below
    with _database(url, keep=keep) as target:
        return asyncio.run(DemoRun(_console(), target, keep=keep).run())


class DemoRun:
    """One run of the demo on a console."""

    def __init__(self, console: Console, url: str, *, keep: bool) -> None:
        self._console = console
        self._url = url
        self._keep = keep
        self._recorder = SpanRecorder()

    async def run(self) -> int:
        """Run the orders, show and check the outcomes, clean up; return the exit code."""
        began = time.monotonic()
        self._title(f"otelq demo on {redact(self._url)}")
        async with connect(self._url, schema=SCHEMA, tracer_provider=self._recorder.provider) as client:
            result = await run_orders(client, Reporter(self._report, self._recorder.tracer("otelq.demo")))
            checks = await check_outcomes(client, result)
            await self._show_chains(client, result)
            if not self._keep:
                await client.delete(*result.chains)
        checks += self._show_traces()
        return self._report_checks(checks, time.monotonic() - began)

    def _report(self, seconds: float, who: str, what: str) -> None:
        line = Text.assemble((f"{seconds:5.2f} s  ", "dim"), (f"{who:<13}", "cyan"), what)
        self._console.print(line, soft_wrap=True)

    async def _show_chains(self, client: Client, result: DemoResult) -> None:
        self._title("Chains in the database")
        shown = [await chain_tree.read_chain(client, chain.id) for chain in (result.parcel, result.refused)]
        self._draw(chain_tree.draw_chains(shown))

    def _show_traces(self) -> list[Check]:
        spans = self._recorder.spans
        if self._recorder.provider is None:
            self._console.print(ADVICE, soft_wrap=True)
            return []
        self._title("Traces of OpenTelemetry")
        bar = 26 if self._console.width >= WIDE else 12
        names = {span.context.span_id: span.name for span in spans if span.context}
        traces = waterfall.group_traces(spans)
        self._draw(waterfall.draw_traces((t for t in traces if not waterfall.is_batch_only(t)), names=names, bar=bar))
        batches = sum(len(t.spans) for t in traces if waterfall.is_batch_only(t))
        self._console.print(f"  and {batches} spans of statements that claimed or settled jobs in batches", style="dim")
        processed = sum(name.startswith("process ") for name in names.values())
        return [Check("every attempt has its span", ATTEMPTS, processed)]

    def _report_checks(self, checks: Sequence[Check], seconds: float) -> int:
        self._console.print()
        wrong = [check for check in checks if not check.passed]
        for check in wrong:
            self._console.print(f"✗ {check.name}: expected {check.expected}, found {check.found}", style="red")
        if self._keep:
            self._console.print(f"not deleted: {redact(self._url)}, schema {SCHEMA}", soft_wrap=True)
        if not wrong:
            self._console.print(f"✓ all {len(checks)} outcomes are as expected, after {seconds:.1f} s", style="green")
        return 1 if wrong else 0

    def _title(self, text: str) -> None:
        self._console.print(f"\n{text}\n", style="bold", soft_wrap=True)

    def _draw(self, drawing: Table) -> None:
        self._console.print(Padding(drawing, (0, 0, 0, 2), expand=False))


def _console() -> Console:
    out: object = sys.stdout
    if isinstance(out, io.TextIOWrapper):
        out.reconfigure(errors="replace")  # a terminal that takes only ASCII must not make the demo fail
    console = Console(highlight=False, emoji=False, markup=False)
    if not console.is_terminal:
        console.width = max(console.width, PLAIN_WIDTH)
    return console


@contextmanager
def _database(url: str | None, *, keep: bool) -> Generator[str]:
    if url is not None:
        yield url
        return
    folder = tempfile.mkdtemp(prefix="otelq-demo-")
    try:
        yield f"sqlite:///{folder}/orders.db"
    finally:
        if not keep:
            shutil.rmtree(folder)
