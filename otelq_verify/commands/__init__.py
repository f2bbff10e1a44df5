"""
The commands of ``python -m otelq_verify``, one file each.

A command imports what it runs when it is called: its help needs no extra, and the conformance kits need no Hypothesis.
"""

from __future__ import annotations

from typing import Final

import click

from otelq.connect import EXTRAS_OF_DRIVERS
from otelq.errors import OtelqError

from .conformance import conformance
from .crashpoints import crashpoints
from .interleave import interleave
from .machines import machines
from .torture import torture

_EXTRAS: Final = {**EXTRAS_OF_DRIVERS, "anyio": "verify", "hypothesis": "verify"}


class Proofs(click.Group):
    """Answers a mistake, a module that is missing, and a database that cannot be used, with one sentence."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except OtelqError as error:
            raise click.ClickException(str(error)) from error
        except ModuleNotFoundError as error:
            if error.name not in _EXTRAS:
                raise
            raise click.ClickException(
                f"{error.name} is missing; install otelq's extra `{_EXTRAS[error.name]}`"
            ) from error


@click.group(cls=Proofs)
def main() -> None:
    """
    Prove that an adapter and a database keep otelq's promises.

    Every command takes the URL of a database, as otelq.connect does: postgresql://user@host/database or
    sqlite:///file.db. It works beside what is stored there, in a schema of its own, which it makes and leaves empty
    however it ends, and exits with 0 if all was kept, with 1 if not or if the database cannot be used, and with 2 if
    it was called wrongly. It needs otelq's extras postgres and verify, and time: use a database without other users.
    """


for command in (conformance, crashpoints, interleave, machines, torture):
    main.add_command(command)

__all__ = ["main"]
