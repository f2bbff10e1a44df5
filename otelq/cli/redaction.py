"""Removes passwords from the output of commands."""

from __future__ import annotations

import logging
import re

# Greedy up to the last @, so that a password which holds one is hidden whole; with any number of slashes, as it is
# hidden in a URL that cannot be used, too.
_IN_AUTHORITY = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]*:/*[^\s:/@]*):\S*@")
_TOKEN = re.compile(r"(?i)\b((?:nats|tls|wss?)://)[^\s:/@]+@")
_NAMED = re.compile(r"(?i)\b((?:ssl)?password|passfile)(\s*=\s*)('(?:\\.|[^'\\])*'|(?:\\.|[^\s&\\])*)")


def redact(text: str) -> str:
    """Return the text with the password of every URL and every keyword in it replaced by ``***``."""
    return _NAMED.sub(r"\1\2***", _TOKEN.sub(r"\1***@", _IN_AUTHORITY.sub(r"\1:***@", text)))


class RedactingFormatter(logging.Formatter):
    """Formats a log record, its traceback included, without passwords."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record, without passwords."""
        return redact(super().format(record))
