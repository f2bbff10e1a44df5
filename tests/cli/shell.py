"""Runs commands as a person at a shell would: in a folder, with an environment, in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def environment(**extra: str) -> dict[str, str]:
    """The tests' environment without what would colour or steer a command, and with our programs first."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL", "FORCE_", "COLUMNS"))}
    return {**kept, "PATH": f"{BIN}:{kept.get('PATH', '')}", "PYTHONUNBUFFERED": "1", **extra}


def run(*command: str, folder: Path, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        command, cwd=folder, env=environment(**extra), capture_output=True, text=True, check=False, timeout=50
    )


def otelq(*arguments: str, folder: Path, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run ``otelq`` to its end."""
    return run("otelq", *arguments, folder=folder, **extra)


@contextmanager
def started(
    command: Sequence[str], *, folder: Path, start_new_session: bool = False, **extra: str
) -> Generator[subprocess.Popen[str]]:
    """A command that runs on; what it writes can be read as one stream. It is killed if the test leaves it running."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment(**extra),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=start_new_session,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """Everything that the process writes up to a line with ``text``."""
    assert process.stdout is not None
    read = ""
    for line in process.stdout:
        read += line
        if text in line:
            return read
    raise AssertionError(f"{text!r} was never written, but this:\n{read}")
