"""Loggers that never raise, with bounded and escaped lines."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any

from .texts import Lines, has_short_messages, line, lines, traceback_of


class Log(logging.LoggerAdapter[logging.Logger]):
    """
    A logger of otelq, used like any other.

    Values in a line are cut, and escaped where they would break the line. So are tracebacks: an exception with longer
    messages is passed on as text, not as ``exc_info``. If a handler or a filter raises, its error is printed on stderr,
    as ``logging`` does, and the caller goes on.
    """

    def __init__(self, name: str) -> None:
        logger = logging.getLogger(name)
        logger.addFilter(_bounded)  # adds it once, however many Logs have this name
        super().__init__(logger, {})

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Keep the caller's ``extra``, which ``LoggerAdapter`` would replace."""
        return msg, kwargs

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Log a line; never raise."""
        try:
            super().log(level, msg, *args, **{**kwargs, "stacklevel": kwargs.get("stacklevel", 1) + 1})
        except Exception as error:
            with suppress(Exception):
                sys.stderr.write(f"--- a handler of {self.logger.name} raised ---\n{traceback_of(error)}")


class _BoundingFilter(logging.Filter):
    """Bounds the values of every record; drops none."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_value(value) for value in record.args)
        for name, value in record.__dict__.items():
            if isinstance(value, str) and "." in name:  # the extra fields; those of logging itself have no dots
                record.__dict__[name] = line(value)
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            record.exc_text = lines(traceback_of(error))
            if not has_short_messages(error):
                record.exc_info = None
        return True


class _BoundedValue:
    """A value in a line, formatted only when a handler formats the line."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    def __str__(self) -> str:
        return line(str(self._value))

    def __repr__(self) -> str:
        return line(repr(self._value))


def _value(value: object) -> Any:
    return value if isinstance(value, int | float | Lines | _BoundedValue) or value is None else _BoundedValue(value)


_bounded = _BoundingFilter()
