"""The command ``otelq``: its subcommands, and its errors (one line and an exit code)."""

from __future__ import annotations

import sys

import click

from ..errors import InvalidArgument, OtelqError
from .demo import demo
from .migrate import migrate
from .redaction import redact
from .worker import worker

FAILURE = 1
USAGE = 2
INTERRUPTED = 130


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="otelq", message="otelq %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Run durable chains of typed jobs in PostgreSQL or SQLite, with OpenTelemetry traces and metrics."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for _command in (demo, worker, migrate):
    cli.add_command(_command)


def main() -> None:
    """
    Run the command line, and exit.

    The code is 0 if all is well, 1 if something failed, 2 if the command cannot be understood, 130 after Ctrl-C.
    """
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line; return its exit code."""
    try:
        # Without standalone mode click returns what the command returned, or the code that it asked to exit with.
        code: int | None = cli.main(arguments, prog_name="otelq", standalone_mode=False)
    except click.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        return _fail(error.format_message(), error.exit_code)
    except InvalidArgument as error:
        return _fail(f"{_option_name(error.argument)}: {error.problem}", USAGE)
    except OtelqError as error:
        return _fail(str(error).partition("\n")[0], FAILURE)  # the reason of a failed chain ends with a traceback
    return code or 0


def _option_name(argument: str) -> str:
    """Return the option of the command line that gives an argument; the argument itself if there is none."""
    option = "--" + {"target": "url"}.get(argument, argument).replace("_", "-")
    known = {name for command in cli.commands.values() for parameter in command.params for name in parameter.opts}
    return option if option in known else argument


def _fail(problem: str, code: int) -> int:
    line = redact(" ".join(problem.split()))
    click.echo(f"otelq: {line}", err=True)
    return code
