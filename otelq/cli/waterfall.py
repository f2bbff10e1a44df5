"""Draws a trace as a tree beside a time line, from finished spans of an SDK."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry.trace import SpanKind, StatusCode
from rich.table import Table
from rich.text import Text

from .tree import walk

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

COLOURS = {SpanKind.PRODUCER: "cyan", SpanKind.CONSUMER: "green", SpanKind.CLIENT: "blue"}


@dataclass(frozen=True, slots=True)
class Trace:
    """The spans of one trace, in the order in which they began."""

    spans: Sequence[ReadableSpan]

    @property
    def id(self) -> str:
        """Return the id in hexadecimal, as backends show it."""
        return f"{self.spans[0].context.trace_id:032x}" if self.spans[0].context else ""

    @property
    def start(self) -> int:
        """Return the start of the first span, in nanoseconds since the epoch."""
        return _start(self.spans[0])

    @property
    def duration(self) -> int:
        """Return the nanoseconds from the first start to the last end."""
        return max(_end(span) for span in self.spans) - self.start

    @property
    def roots(self) -> Sequence[ReadableSpan]:
        """Return the spans whose parent is not in the trace."""
        known = {_id(span) for span in self.spans}
        return [span for span in self.spans if span.parent is None or span.parent.span_id not in known]

    def children(self, parent: ReadableSpan) -> Sequence[ReadableSpan]:
        """Return the child spans of one."""
        return [span for span in self.spans if span.parent is not None and span.parent.span_id == _id(parent)]


def group_traces(spans: Iterable[ReadableSpan]) -> list[Trace]:
    """Group spans into traces, the earliest first."""
    grouped: defaultdict[int, list[ReadableSpan]] = defaultdict(list)
    for span in sorted(spans, key=_start):
        if span.context is not None:
            grouped[span.context.trace_id].append(span)
    return sorted((Trace(spans) for spans in grouped.values()), key=lambda trace: trace.start)


def is_batch_only(trace: Trace) -> bool:
    """Return whether it has only spans of statements for several jobs: claims and settlements."""
    return all(span.kind is SpanKind.CLIENT for span in trace.spans)


def draw_traces(traces: Iterable[Trace], *, names: Mapping[int, str], bar: int) -> Table:
    """
    Draw traces as trees, with a time line each.

    ``names`` has the names of all spans by their ids, to name the targets of links; ``bar`` is the number of columns of
    a time line.
    """
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, width=bar + 2)
    table.add_column(no_wrap=True, justify="right")
    table.add_column()
    for trace in traces:
        table.add_row(Text(f"trace {trace.id[:8]}…", style="dim"), "", _duration(trace.duration))
        for root in trace.roots:
            for branch, span in walk(root, trace.children):
                name = Text.assemble((branch, "dim"), (span.name, _colour(span)))
                table.add_row(
                    name, _bar(trace, span, columns=bar), _duration(_end(span) - _start(span)), _remarks(span, names)
                )
        table.add_row()
    return table


def _bar(trace: Trace, span: ReadableSpan, *, columns: int) -> Text:
    scale = columns / max(trace.duration, 1)  # a clock of low resolution may give 0
    left = min(columns - 1, int((_start(span) - trace.start) * scale))
    length = max(1, min(columns - left, round((_end(span) - _start(span)) * scale)))
    return Text(" " * left + "━" * length, style=_colour(span))


def _duration(nanoseconds: int) -> Text:
    milliseconds = nanoseconds / 1e6
    return Text(f"{milliseconds:.0f} ms" if milliseconds >= 10 else f"{milliseconds:.1f} ms", style="dim")


def _remarks(span: ReadableSpan, names: Mapping[int, str]) -> Text:
    attributes = span.attributes or {}
    remarks = Text()
    if batch := attributes.get("messaging.batch.message_count"):
        remarks.append(f"{batch!s} jobs  ")
    if (attempt := attributes.get("otelq.job.attempt", 1)) != 1:
        remarks.append(f"attempt {attempt!s}  ")
    if span.status.status_code is StatusCode.ERROR:
        kind = attributes.get("error.type") or (span.status.description or "error").partition(":")[0]
        remarks.append(f"✗ {kind!s}  ", style="red")
    if reason := attributes.get("otelq.link.reason"):
        source = next((names[link.context.span_id] for link in span.links if link.context.span_id in names), "another")
        remarks.append(f"↖ {source} ({reason!s})", style="magenta")
    return remarks


def _colour(span: ReadableSpan) -> str:
    return "red" if span.status.status_code is StatusCode.ERROR else COLOURS.get(span.kind, "")


def _id(span: ReadableSpan) -> int:
    return span.context.span_id if span.context else 0


def _start(span: ReadableSpan) -> int:
    return span.start_time or 0


def _end(span: ReadableSpan) -> int:
    return span.end_time or _start(span)
