"""Worker processes of a given code, driven by lines of JSON."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import otelq

from . import application
from .history import job_type


class WorkerProcess:
    """A worker in a process of its own, with the attempts that it reports."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.code = ""
        """The file from which it imported otelq."""
        self.ran: list[tuple[str, int]] = []
        """The job and the number of each attempt."""
        self.started: list[otelq.Chain[Any]] = []
        """The chains that it started."""

    async def start(self, type: str, inputs: list[Any]) -> None:
        """Have it start chains."""
        number = len(self.started)
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"type": type, "inputs": inputs}).encode() + b"\n")
        while len(self.started) == number:
            await self.read()

    async def read(self) -> None:
        """Read one line."""
        assert self._process.stdout
        text = await self._process.stdout.readline()
        assert text, "the process ended"
        line = json.loads(text)
        self.code = line.get("code", self.code)
        self.started += [otelq.Chain(id, job_type(type)) for id, type in line.get("started", [])]
        self.ran += [tuple(line["ran"])] if "ran" in line else []

    async def stop(self) -> str:
        """End it gracefully; return its log."""
        assert self._process.stdin
        self._process.stdin.close()
        out, log = await self._process.communicate()
        self.ran += [tuple(line["ran"]) for line in map(json.loads, out.splitlines()) if "ran" in line]
        assert self._process.returncode == 0, log.decode()
        return log.decode()


@asynccontextmanager
async def worker_process(url: str, name: str, *, code: Path | None = None) -> AsyncGenerator[WorkerProcess]:
    """Run a worker of the code in a folder, or of this code; it is killed if it still runs at the end."""
    environment = os.environ if code is None else {**os.environ, "PYTHONPATH": str(code)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", application.__file__, url, name,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment,
    )  # fmt: skip
    worker = WorkerProcess(process)
    try:
        while not worker.code:
            await worker.read()
        yield worker
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
