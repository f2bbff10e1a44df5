"""A trace as a tree beside a time line, from spans that an SDK has finished."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry.trace import SpanKind, StatusCode
from rich.table import Table
from rich.text import Text

from .tree import lines

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

COLOURS = {SpanKind.PRODUCER: "cyan", SpanKind.CONSUMER: "green", SpanKind.CLIENT: "blue"}


@dataclass(frozen=True, slots=True)
class Trace:
    """The spans of one trace, in the order in which they began."""

    spans: Sequence[ReadableSpan]

    @property
    def id(self) -> str:
        """Its id, as traces are looked up by."""
        return f"{self.spans[0].context.trace_id:032x}" if self.spans[0].context else ""

    @property
    def began(self) -> int:
        """When its first span began, in nanoseconds since the epoch."""
        return _start(self.spans[0])

    @property
    def took(self) -> int:
        """Nanoseconds from its first begin to its last end."""
        return max(_end(span) for span in self.spans) - self.began

    @property
    def roots(self) -> Sequence[ReadableSpan]:
        """The spans whose parent is not there."""
        known = {_id(span) for span in self.spans}
        return [span for span in self.spans if span.parent is None or span.parent.span_id not in known]

    def children(self, parent: ReadableSpan) -> Sequence[ReadableSpan]:
        """The spans right under one."""
        return [span for span in self.spans if span.parent is not None and span.parent.span_id == _id(parent)]


def traces_of(spans: Iterable[ReadableSpan]) -> list[Trace]:
    """Spans sorted into their traces, earliest first."""
    grouped: defaultdict[int, list[ReadableSpan]] = defaultdict(list)
    for span in sorted(spans, key=_start):
        if span.context is not None:
            grouped[span.context.trace_id].append(span)
    return sorted((Trace(spans) for spans in grouped.values()), key=lambda trace: trace.began)


def is_about_batches(trace: Trace) -> bool:
    """Whether it only tells of the statements that moved many jobs at once: claims and settlements."""
    return all(span.kind is SpanKind.CLIENT for span in trace.spans)


def drawn(traces: Iterable[Trace], *, names: Mapping[int, str], bar: int) -> Table:
    """
    Traces as trees with a time line each.

    ``names`` says what the spans of all traces are called, by their span ids, for those that are linked; ``bar`` is
    how many columns the time line takes.
    """
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, width=bar + 2)
    table.add_column(no_wrap=True, justify="right")
    table.add_column()
    for trace in traces:
        table.add_row(Text(f"trace {trace.id[:8]}…", style="dim"), "", _duration(trace.took))
        for root in trace.roots:
            for branch, span in lines(root, trace.children):
                name = Text.assemble((branch, "dim"), (span.name, _colour(span)))
                table.add_row(
                    name, _bar(trace, span, columns=bar), _duration(_end(span) - _start(span)), _note(span, names)
                )
        table.add_row()
    return table


def _bar(trace: Trace, span: ReadableSpan, *, columns: int) -> Text:
    scale = columns / max(trace.took, 1)
    left = min(columns - 1, int((_start(span) - trace.began) * scale))
    length = max(1, min(columns - left, round((_end(span) - _start(span)) * scale)))
    return Text(" " * left + "━" * length, style=_colour(span))


def _duration(nanoseconds: int) -> Text:
    milliseconds = nanoseconds / 1e6
    return Text(f"{milliseconds:.0f} ms" if milliseconds >= 10 else f"{milliseconds:.1f} ms", style="dim")


def _note(span: ReadableSpan, names: Mapping[int, str]) -> Text:
    attributes = span.attributes or {}
    note = Text()
    if batch := attributes.get("messaging.batch.message_count"):
        note.append(f"{batch!s} jobs  ")
    if (attempt := attributes.get("otelq.job.attempt", 1)) != 1:
        note.append(f"attempt {attempt!s}  ")
    if span.status.status_code is StatusCode.ERROR:
        kind = attributes.get("error.type") or (span.status.description or "error").partition(":")[0]
        note.append(f"✗ {kind!s}  ", style="red")
    if reason := attributes.get("otelq.link.reason"):
        source = next((names[link.context.span_id] for link in span.links if link.context.span_id in names), "another")
        note.append(f"↖ {source} ({reason!s})", style="magenta")
    return note


def _colour(span: ReadableSpan) -> str:
    return "red" if span.status.status_code is StatusCode.ERROR else COLOURS.get(span.kind, "")


def _id(span: ReadableSpan) -> int:
    return span.context.span_id if span.context else 0


def _start(span: ReadableSpan) -> int:
    return span.start_time or 0


def _end(span: ReadableSpan) -> int:
    return span.end_time or _start(span)
