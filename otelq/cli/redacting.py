"""Keeps passwords out of what commands print."""

from __future__ import annotations

import logging
import re

# Greedy up to the last @, so that a password which holds one is hidden whole.
_IN_AUTHORITY = re.compile(r"(?<=://)([^\s:/@]*):\S*@")
_IN_QUERY = re.compile(r"(?i)\b(password|passfile|sslpassword)=('[^']*'|[^\s&]*)")


def redacted(text: str) -> str:
    """The text with the password of every URL in it replaced by ``***``."""
    return _IN_QUERY.sub(r"\1=***", _IN_AUTHORITY.sub(r"\1:***@", text))


class RedactingFormatter(logging.Formatter):
    """Formats a log record, its traceback included, without passwords."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, or lines, of one record."""
        return redacted(super().format(record))
