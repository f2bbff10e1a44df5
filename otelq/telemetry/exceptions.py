"""
How an exception becomes visible, once.

The conventions are moving exceptions from span events to log records;
``OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN`` says how far: unset is an event on the span, ``logs`` a log record in
its stead, ``logs/dup`` both.
"""

from __future__ import annotations

import os
import traceback
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.trace import Span

from . import names
from .names import Operation

if TYPE_CHECKING:
    from opentelemetry._logs import Logger, LoggerProvider

OPT_IN: Final = "OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN"
TEXT_LIMIT: Final = 1000


def qualified_name(error: BaseException) -> str:
    """The exception's type as ``error.type`` shows it: module and name, the name alone for built-in ones."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def text_of(error: BaseException) -> str:
    """The exception's bounded text, also where its ``__str__`` fails."""
    try:
        return str(error)[:TEXT_LIMIT]
    except Exception:
        return f"<{qualified_name(error)} has no text>"


class Exceptions:
    """Records exceptions on the signals that the environment asks for."""

    __slots__ = ("_events", "_logger")

    def __init__(self, provider: LoggerProvider | None, *, version: str) -> None:
        wanted = {word.strip() for word in os.environ.get(OPT_IN, "").split(",")}
        self._events = "logs" not in wanted or "logs/dup" in wanted
        self._logger = _logger(provider, version) if wanted & {"logs", "logs/dup"} else None

    def record(self, span: Span, error: BaseException, operation: Operation) -> None:
        """Tell of the exception on the span, in a log record, or both."""
        if self._events and span.is_recording():
            span.record_exception(error)
        if self._logger is not None:
            _emit(self._logger, span, error, operation)


def _logger(provider: LoggerProvider | None, version: str) -> Logger:
    # The logs API still has an underscore, so it is imported only where somebody asked for it.
    from opentelemetry._logs import get_logger

    return get_logger(names.SCOPE, version, provider, names.SCHEMA_URL)


def _emit(logger: Logger, span: Span, error: BaseException, operation: Operation) -> None:
    from opentelemetry._logs import LogRecord, SeverityNumber

    severity = SeverityNumber.ERROR if operation is Operation.PROCESS else SeverityNumber.WARN
    logger.emit(
        LogRecord(
            context=trace.set_span_in_context(span),
            severity_number=severity,
            severity_text=severity.name,
            event_name=f"messaging.{names.OPERATION_TYPES[operation]}.exception",
            attributes={
                "exception.type": qualified_name(error),
                "exception.message": text_of(error),
                "exception.stacktrace": "".join(traceback.format_exception(error)),
            },
        )
    )
