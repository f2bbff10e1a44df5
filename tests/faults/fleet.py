"""Worker processes that a test starts, stops, continues and kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[2]
PATIENCE = 45.0
"""Seconds after which a condition that a test waits for counts as never met."""


class Process:
    """One worker process. Its name is that of its leases; its notes are what its handlers wrote down."""

    def __init__(self, url: str, name: str, *, folder: Path, serve: str, options: Sequence[str] = ()) -> None:
        self.name = name
        self.folder = folder
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.work", url, name, serve, str(folder), *options],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def freeze(self) -> None:
        """Stop the process and wait until it stands still."""
        self.signal(signal.SIGSTOP)
        _, status = os.waitpid(self._process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), f"{self.name} ended instead of stopping"

    def thaw(self) -> None:
        """Let the process go on."""
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._process.kill()
        self._process.wait()

    def wait(self) -> int:
        """Wait until it has ended; returns the exit code."""
        return self._process.wait(PATIENCE)


class Fleet:
    """The worker processes of one test: a context manager that leaves none behind."""

    def __init__(self, url: str, folder: Path, *, serve: str, options: Sequence[str] = ()) -> None:
        self.folder = folder
        self.notes = folder / "notes"
        self.processes: list[Process] = []
        self._url = url
        self._serve = serve
        self._options = options
        self._started = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for process in self.processes:
            process.kill()
        if error is not None:
            print(self.logs())

    def start(self, *options: str) -> Process:
        """Start a process under a name that was not used before."""
        self._started += 1
        name = f"w{self._started}"
        process = Process(self._url, name, folder=self.folder, serve=self._serve, options=(*self._options, *options))
        self.processes.append(process)
        return process

    def replace_dead(self) -> int:
        """Start one process for each that has ended; returns how many had."""
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
        """Stop these, or all, gracefully; those that have just been started are let come up before."""
        self.wait_until_up()
        leaving = processes or tuple(self.processes)
        for process in leaving:
            process.signal(signal.SIGTERM)
        for process in leaving:
            assert process.wait() == 0, self.logs()
            self.processes.remove(process)

    def noted(self, word: str) -> list[str]:
        """The notes that begin with a word, without it."""
        if not self.notes.exists():
            return []
        lines = self.notes.read_text().splitlines()
        return [line.partition(" ")[2] for line in lines if line.partition(" ")[0] == word]

    def logs(self) -> str:
        """The ends of the processes' logs, for a test that fails."""
        return "\n".join(f"== {log.stem}\n{log.read_text()[-4000:]}" for log in sorted(self.folder.glob("*.log")))


def wait_for(condition: Callable[[], object], what: str, *, patience: float = PATIENCE) -> None:
    """Wait until a condition outside this process holds; fail, saying which, if it never does."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"waited {patience:g} s in vain until {what}"
        time.sleep(0.01)
