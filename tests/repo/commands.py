"""The reference of the commands, `docs/reference/commands.md`, from what they say with `--help`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import click

from otelq.cli.main import cli
from otelq_verify.commands import main

PROGRAMS: dict[str, click.Group] = {"otelq": cli, "python -m otelq_verify": main}
INTRODUCTION = """\
# Commands

Every command of otelq with its options, as `--help` shows them. Drawn by `python -m tests.repo.reference`; a test fails
when this page differs from the code. Exit codes of `otelq`: 0 for success, 1 for a failure, 2 for a command line that
it cannot understand, 130 after Ctrl-C.
"""


def commands_page() -> str:
    """Return the text of the page."""
    return "\n".join([INTRODUCTION, *(part for program in PROGRAMS for part in _program(program))])


def _program(name: str) -> Iterator[str]:
    program = PROGRAMS[name]
    yield f"## {name}\n\n{_help(program)}\n"
    for command in program.commands.values():
        yield from _command(command, f"{name} {command.name}")


def _command(command: click.Command, name: str) -> Iterator[str]:
    context = click.Context(command, info_name=name)
    options = (parameter for parameter in command.params if isinstance(parameter, click.Option))
    records = filter(None, (option.get_help_record(context) for option in options))
    rows = [f"| `{names.replace('|', ', ')}` | {' '.join(text.split())} |" for names, text in records]
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    yield f"### {name}\n\n```text\n{usage}\n```\n\n{_help(command)}\n"
    yield "\n".join(["| option | |", "|---|---|", *rows, ""])


def _help(command: click.Command) -> str:
    paragraphs = textwrap.dedent(command.help or "").strip().split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
