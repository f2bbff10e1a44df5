"""
Exceptions as span events or log records.

The semantic conventions are moving exceptions from span events to log records.
``OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN`` selects the signal: unset for an event on the span, ``logs`` for a log record
instead, ``logs/dup`` for both.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.trace import Span

from ..logs import Log
from ..texts import LONGEST_NAME, line, lines, message_of, traceback_of
from . import names
from .names import Operation

if TYPE_CHECKING:
    from opentelemetry._logs import Logger, LoggerProvider

logger = Log("otelq.telemetry")

OPT_IN: Final = "OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN"


def qualified_name(error: BaseException) -> str:
    """Return the exception's type for ``error.type``: module and name, or the name alone for built-in ones."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _exception_attributes(error: BaseException) -> dict[str, str]:
    """Return the attributes that the conventions define for an exception, bounded."""
    # Not `Span.record_exception`: an SDK writes message and traceback in full, however long they are.
    return {
        "exception.type": line(qualified_name(error), longest=LONGEST_NAME),
        "exception.message": lines(message_of(error)),
        "exception.stacktrace": lines(traceback_of(error)),
    }


class Exceptions:
    """Records exceptions on the signals that the environment asks for."""

    __slots__ = ("_events", "_logger")

    def __init__(self, provider: LoggerProvider | None, *, version: str) -> None:
        wanted = {word.strip() for word in os.environ.get(OPT_IN, "").split(",")}
        self._events = "logs" not in wanted or "logs/dup" in wanted
        self._logger = _logger(provider, version) if wanted & {"logs", "logs/dup"} else None

    def record(self, span: Span, error: BaseException, operation: Operation) -> None:
        """Record the exception on the span, in a log record, or both."""
        if self._events and span.is_recording():
            span.add_event("exception", _exception_attributes(error))
        if self._logger is not None:
            _emit(self._logger, span, error, operation)


def _logger(provider: LoggerProvider | None, version: str) -> Logger | None:
    # The logs API is still private by name, so it is imported only if the environment asks for log records.
    from opentelemetry._logs import get_logger

    try:
        return get_logger(names.SCOPE, version, provider, names.SCHEMA_URL)
    except Exception:
        logger.exception("the logger provider %r failed; there will be no log records of exceptions", provider)
        return None


def _emit(logger: Logger, span: Span, error: BaseException, operation: Operation) -> None:
    from opentelemetry._logs import LogRecord, SeverityNumber

    severity = SeverityNumber.ERROR if operation is Operation.PROCESS else SeverityNumber.WARN
    logger.emit(
        LogRecord(
            context=trace.set_span_in_context(span),
            severity_number=severity,
            severity_text=severity.name,
            event_name=f"messaging.{names.OPERATION_TYPES[operation]}.exception",
            attributes=_exception_attributes(error),
        )
    )
