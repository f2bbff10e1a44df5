"""Changes of the application's files, for ``otelq worker --reload``."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import click

from ..logs import Log

logger = Log("otelq.cli")

TOGETHER: Final = 400
"""Milliseconds in which changes count as one, at most."""


def check_watchfiles() -> None:
    """
    Raise unless files can be watched.

    Raises:
        click.UsageError: the extra is missing.
    """
    if find_spec("watchfiles") is None:
        raise click.UsageError("--reload needs watchfiles; install otelq's extra `reload` (README, Install)")


async def watch(folder: Path, on_change: Callable[[set[str]], None]) -> None:
    """Call ``on_change`` with the Python files of a folder that changed, those of one moment together, for ever."""
    import watchfiles  # an extra

    library: Any = watchfiles  # its annotations name a package that need not be there
    try:
        async for changes in library.awatch(folder, watch_filter=watchfiles.PythonFilter(), debounce=TOGETHER):
            on_change({path for _, path in changes})
    except OSError as error:
        logger.error("the files in %s are not watched: %s", folder, error)
