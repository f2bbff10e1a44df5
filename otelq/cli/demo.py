"""``otelq demo``: plays a small order workflow, shows its chains and its traces, and judges the outcomes."""

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
from .demo_script import ATTEMPTS, Check, Story, checks, play
from .order import Narrator
from .redaction import redacted
from .span_recorder import ADVICE, SpanRecorder

SCHEMA = "otelq_demo"
PLAIN_WIDTH = 120
"""Columns where the output is no terminal."""
WIDE = 100
"""Columns from which on there is room for a long time line."""


@click.command()
@click.option("--url", help="Run on this database, in schema otelq_demo.  [default: SQLite in a temporary folder]")
@click.option("--keep", is_flag=True, help="Leave the folder, or the chains in the database, for a closer look.")
def demo(url: str | None, *, keep: bool) -> int:
    """
    Play an order workflow; show what the database holds of it and what OpenTelemetry saw.

    It has a branch, a retry, a fan-in and a delayed step, and takes about three seconds. The exit code is 0 only if
    every outcome is as it should be.
    """
    logging.getLogger("otelq").setLevel(logging.ERROR)  # the attempt that fails is told in the story
    with _database(url, keep=keep) as place:
        return asyncio.run(DemoRun(_console(), place, keep=keep).run())


class DemoRun:
    """One run of the demo on a console."""

    def __init__(self, console: Console, url: str, *, keep: bool) -> None:
        self._console = console
        self._url = url
        self._keep = keep
        self._recording = SpanRecorder()

    async def run(self) -> int:
        """Play, show, judge and clean up; returns the exit code."""
        began = time.monotonic()
        self._title(f"otelq demo on {redacted(self._url)}")
        async with connect(self._url, schema=SCHEMA, tracer_provider=self._recording.provider) as client:
            story = await play(client, Narrator(self._narrate, self._recording.tracer("otelq.demo")))
            judged = await checks(client, story)
            await self._show_chains(client, story)
            if not self._keep:
                await client.delete(*story.chains)
        judged += self._show_traces()
        return self._judge(judged, time.monotonic() - began)

    def _narrate(self, seconds: float, who: str, what: str) -> None:
        line = Text.assemble((f"{seconds:5.2f} s  ", "dim"), (f"{who:<13}", "cyan"), what)
        self._console.print(line, soft_wrap=True)

    async def _show_chains(self, client: Client, story: Story) -> None:
        self._title("What the database holds")
        shown = [await chain_tree.read_chain(client, chain.id) for chain in (story.parcel, story.refused)]
        self._draw(chain_tree.drawn(shown))

    def _show_traces(self) -> list[Check]:
        spans = self._recording.spans
        if self._recording.provider is None:
            self._console.print(ADVICE, soft_wrap=True)
            return []
        self._title("What OpenTelemetry saw")
        bar = 26 if self._console.width >= WIDE else 12
        names = {span.context.span_id: span.name for span in spans if span.context}
        traces = waterfall.traces_of(spans)
        self._draw(waterfall.drawn((t for t in traces if not waterfall.is_about_batches(t)), names=names, bar=bar))
        batches = sum(len(t.spans) for t in traces if waterfall.is_about_batches(t))
        self._console.print(f"  and {batches} spans of statements that claimed or settled jobs in batches", style="dim")
        processed = sum(name.startswith("process ") for name in names.values())
        return [Check("every attempt has its span", ATTEMPTS, processed)]

    def _judge(self, judged: Sequence[Check], seconds: float) -> int:
        self._console.print()
        wrong = [check for check in judged if not check.holds]
        for check in wrong:
            self._console.print(f"✗ {check.what}: expected {check.expected}, found {check.found}", style="red")
        if self._keep:
            self._console.print(f"kept: {redacted(self._url)}, schema {SCHEMA}", soft_wrap=True)
        if not wrong:
            self._console.print(
                f"✓ all {len(judged)} outcomes are as they should be, after {seconds:.1f} s", style="green"
            )
        return 1 if wrong else 0

    def _title(self, text: str) -> None:
        self._console.print(f"\n{text}\n", style="bold", soft_wrap=True)

    def _draw(self, drawing: Table) -> None:
        self._console.print(Padding(drawing, (0, 0, 0, 2), expand=False))


def _console() -> Console:
    out: object = sys.stdout
    if isinstance(out, io.TextIOWrapper):
        out.reconfigure(errors="replace")  # branches and bars are no reason to fail where only ASCII goes
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
