"""Worker processes that a run starts, stops, continues and kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

PATIENCE: Final = 45.0
"""Seconds after which a condition that is waited for counts as never met."""

Command = Callable[[str], Sequence[str]]
"""The arguments of Python that start the process of this name; the options of its start follow them."""


class Process:
    """One worker process. Its leases have the same name."""

    def __init__(self, arguments: Sequence[str], name: str, *, folder: Path, options: Sequence[str] = ()) -> None:
        self.name = name
        self.options = tuple(options)
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *arguments, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def is_alive(self) -> bool:
        """Return True until it has ended; a stopped process is alive."""
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Return its exit code: negative for a signal, None while it is alive."""
        return self._process.poll()

    def tail(self) -> str:
        """Return the end of its log."""
        return self.log.read_text()[-4000:]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def freeze(self) -> None:
        """
        Stop the process and wait until it is stopped.

        Raises:
            RuntimeError: it ended instead.
        """
        self.signal(signal.SIGSTOP)
        _, status = os.waitpid(self._process.pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            self._process.returncode = os.waitstatus_to_exitcode(status)
            raise RuntimeError(f"{self.name} ended instead of stopping")

    def thaw(self) -> None:
        """Let the process go on."""
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """Send SIGKILL, and wait until it has ended."""
        self._process.kill()
        self._process.wait()

    def wait(self) -> int:
        """Wait until it has ended; return the exit code."""
        return self._process.wait(PATIENCE)


class Fleet:
    """
    The worker processes of one run: a context manager that leaves none behind.

    ``notes`` is a file in ``folder`` in which processes write lines of a word and what belongs to it; ``up NAME`` says
    that a process serves. The ends of their logs are printed if the block ends with an error, and not if it is
    interrupted.
    """

    def __init__(self, command: Command, folder: Path, *, options: Sequence[str] = ()) -> None:
        self.folder = folder
        self.notes = folder / "notes"
        self.processes: list[Process] = []
        self._command = command
        self._options = options
        self._started = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for process in self.processes:
            process.kill()
        self.processes.clear()  # a wait until all are up ends here
        if isinstance(error, Exception):
            sys.stderr.write(self.logs() + "\n")

    def start(self, *options: str) -> Process:
        """Start a process under a name that was not used before."""
        self._started += 1
        name = f"w{self._started}"
        process = Process(self._command(name), name, folder=self.folder, options=(*self._options, *options))
        self.processes.append(process)
        return process

    def replace_dead(self) -> int:
        """Start one process for each that has ended; return how many had."""
        dead = [process for process in self.processes if not process.is_alive]
        for process in dead:
            self.processes.remove(process)
            self.start()
        return len(dead)

    def kill(self, process: Process) -> None:
        """Kill one of them for good."""
        process.kill()
        self.processes.remove(process)

    def wait_until_up(self) -> None:
        """Wait until all processes have connected and serve."""
        wait_for(lambda: {process.name for process in self.processes} <= set(self.noted("up")), "all are up")

    def end(self, *processes: Process) -> None:
        """
        Stop these, or all, gracefully; those that have just been started are let come up before.

        Raises:
            RuntimeError: one ended with an error; the text has the ends of the logs.
        """
        self.wait_until_up()
        leaving = processes or tuple(self.processes)
        for process in leaving:
            process.signal(signal.SIGTERM)
        for process in leaving:
            if (code := process.wait()) != 0:
                raise RuntimeError(f"{process.name} ended with {code}\n{self.logs()}")
            self.processes.remove(process)

    def noted(self, word: str) -> list[str]:
        """Return the notes that begin with a word, without it."""
        if not self.notes.exists():
            return []
        lines = self.notes.read_text().splitlines()
        return [line.partition(" ")[2] for line in lines if line.partition(" ")[0] == word]

    def logs(self) -> str:
        """Return the ends of the processes' logs, to be read where a run fails."""
        return "\n".join(f"== {log.stem}\n{log.read_text()[-4000:]}" for log in sorted(self.folder.glob("*.log")))


class Notes:
    """The file of notes as a process of the fleet writes it: each line is visible as soon as it is written."""

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / "notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, word: str, *rest: object) -> None:
        """Append a line."""
        os.write(self._file, (" ".join((word, *map(str, rest))) + "\n").encode())


def wait_for(condition: Callable[[], object], what: str, *, patience: float = PATIENCE) -> None:
    """
    Wait until a condition outside this process holds.

    Raises:
        TimeoutError: it never did; the text says what was waited for.
    """
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {patience:g} s in vain until {what}")
        time.sleep(0.01)
