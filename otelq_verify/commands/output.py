"""Results of a command, printed one by one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import click


class Printable(Protocol):
    """A result whose text is a line, or more lines if it failed."""

    @property
    def passed(self) -> bool: ...


def print_all(results: Iterable[Printable]) -> bool | None:
    """Print each result as it comes; return whether all passed, None if there was none."""
    passed: bool | None = None
    for result in results:
        click.echo(str(result))
        passed = result.passed and passed is not False
    return passed
