"""The log of a command, on stderr."""

from __future__ import annotations

import logging

from .redaction import RedactingFormatter

LINE = "%(asctime)s %(levelname)-7s %(name)s  %(message)s"


def log_to_stderr(level: str) -> None:
    """Show log lines from a level on, without passwords."""
    handler = logging.StreamHandler()
    handler.setFormatter(RedactingFormatter(LINE))
    logging.basicConfig(level=level.upper(), handlers=[handler])
