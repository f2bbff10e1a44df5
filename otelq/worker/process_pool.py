"""
The worker's side of handlers in processes: starts processes, sends them attempts, ends them.

``concurrent.futures`` and anyio are not used. They pickle, they cannot end a single call or the idle processes of one
worker, and a child of theirs works on after its parent was killed
(``docs/decisions/0010-processes-of-handlers-are-our-own.md``).
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from ..definitions import AttemptScope, Definition
from ..errors import InvalidArgument, ProcessDied
from ..spawn import spawn
from ..uninterrupted import finish
from .process_main import find_handler
from .process_protocol import MARGIN, PREFIX, Answer, Ping, Reply, RunRequest, Stop, frame, largest_answer, read_answer

END_TIMEOUT = 5.0
"""Seconds in which a process must end after its pipe is closed; then it is killed."""
PING_TIMEOUT = 5.0
"""Seconds in which an idle process must answer a ping before it is used again."""
PIPE_SIZE = 1 << 16
_PROGRAM = (
    "import sys; sys.path[:] = sys.argv[1:]; del sys.argv[1:]; from otelq.worker.process_main import main; main()"
)


class ProcessPool:
    """A pool of processes for handlers: one for each running attempt, reused for the next, ended with the worker."""

    def __init__(self) -> None:
        self._idle: list[HandlerProcess] = []
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False

    async def run(self, request: RunRequest, *, scope: AttemptScope) -> Reply:
        """
        Run an attempt in a process and return its reply; pass on a stop of its scope. A cancel kills the process.

        Raises:
            ProcessDied: the process ended before it replied.
        """
        process = await self._take_idle() or await HandlerProcess.start()
        try:
            reply = await process.run(request, scope=scope)
        except BaseException:
            # Waited for through further cancels: the handler must have ended before its attempt does.
            await finish(process.kill())
            raise
        if self._closed:
            self._end_in_background(process)
        else:
            self._idle.append(process)
        return reply

    async def stop(self) -> None:
        """End the idle processes now, and each busy one when its attempt ends."""
        self._closed = True
        idle, self._idle = self._idle, []
        for process in idle:
            self._end_in_background(process)
        if self._ending:
            await asyncio.wait(self._ending)

    def _end_in_background(self, process: HandlerProcess) -> None:
        self._in_background(process.end())

    def _kill_in_background(self, process: HandlerProcess) -> None:
        self._in_background(process.kill())

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = spawn(work, name="otelq process, ending")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _take_idle(self) -> HandlerProcess | None:
        """Return an idle process that answers a ping; kill others, whose pipes an earlier handler may have broken."""
        while self._idle:
            process = self._idle.pop()  # taken out first: two attempts must not ping one process
            try:
                if process.is_alive and await process.answers_ping():
                    return process
            except asyncio.CancelledError:
                await finish(process.kill())
                raise
            self._kill_in_background(process)
        return None


class _CorruptReply(Exception):
    """Something that is no answer in the pipe; only the handler can have written it."""


class HandlerProcess:
    """One process and its pipes."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._input = process.stdin
        self._output = process.stdout

    @classmethod
    async def start(cls) -> HandlerProcess:
        """Start a process with the import path of this one, in a process group of its own."""
        # The group lets `kill` reach everything that the handler starts, and keeps the terminal's Ctrl-C away from it.
        command = [sys.executable, "-c", _PROGRAM, *sys.path]
        return cls(await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, start_new_session=True))

    @property
    def is_alive(self) -> bool:
        """Return whether the process has not ended, as far as asyncio knows."""
        return self._process.returncode is None

    async def run(self, request: RunRequest, *, scope: AttemptScope) -> Reply:
        """Send an attempt and return the reply; send a stop message when the scope is stopping."""
        reply = spawn(self._exchange(request))
        stop = spawn(scope.stopping.wait())
        try:
            await asyncio.wait({reply, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not reply.done():
                self._input.write(frame(Stop(scope.stop_reason)))
            return await reply
        finally:
            reply.cancel()
            stop.cancel()

    async def kill(self) -> None:
        """Kill the process and everything that it started."""
        with suppress(ProcessLookupError):
            if os.name == "posix":
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()
        with suppress(TimeoutError):  # a process outside the group may still have the pipe open
            async with asyncio.timeout(END_TIMEOUT):
                await self._wait_closed()

    async def end(self) -> None:
        """Close the pipe, so that the process ends; kill it after ``END_TIMEOUT``."""
        try:
            async with asyncio.timeout(END_TIMEOUT):
                await self._wait_closed()
        except TimeoutError:
            await self.kill()

    async def _exchange(self, request: RunRequest) -> Reply:
        try:
            self._input.write(frame(request))
            await self._input.drain()
            return await self._reply(request)
        except (ConnectionError, asyncio.IncompleteReadError):
            await self.kill()  # processes that it started may still run
            raise ProcessDied(f"the process of {request.module}.{request.name} {self._exit_text()}") from None
        except _CorruptReply as problem:
            await self.kill()
            raise ProcessDied(f"the process of {request.module}.{request.name} {problem}, and was ended") from None

    async def _reply(self, request: RunRequest) -> Reply:
        answer = await self._answer(largest=largest_answer(request))
        if answer.token != request.token or answer.reply is None:
            raise _CorruptReply("answered for another attempt")
        return answer.reply

    async def _answer(self, *, largest: int) -> Answer:
        length = int.from_bytes(await self._output.readexactly(PREFIX))
        if length > largest:
            raise _CorruptReply("sent more than a reply may have")
        text = await self._output.readexactly(length)
        try:
            return read_answer(text)
        except Exception:  # malformed, of the wrong shape, too deep
            raise _CorruptReply("sent what is no reply") from None

    async def answers_ping(self) -> bool:
        """Return whether the next message from the process is the answer to a new ping."""
        ping = Ping(secrets.randbits(63))
        try:
            async with asyncio.timeout(PING_TIMEOUT):
                self._input.write(frame(ping))
                await self._input.drain()
                return await self._answer(largest=MARGIN) == Answer(ping.token, None)
        except (ConnectionError, asyncio.IncompleteReadError, TimeoutError, _CorruptReply):
            return False

    async def _wait_closed(self) -> None:
        """Close stdin and wait for the end of the process."""
        self._input.close()
        # The output is read meanwhile: asyncio does not see the end of a process whose pipe is full.
        rest = spawn(self._discard_output())
        try:
            await self._process.wait()
        finally:
            rest.cancel()

    async def _discard_output(self) -> None:
        while await self._output.read(PIPE_SIZE):
            pass

    def _exit_text(self) -> str:
        code = self._process.returncode or 0
        if code >= 0:
            return f"exited with code {code} while the handler ran"
        return f"was ended by {signal.Signals(-code).name}"


def check_importable(definition: Definition) -> None:
    """
    Refuse a handler that another process could not import.

    Raises:
        InvalidArgument: it is in the program's main module, or its name leads to something else.
    """
    module, name = definition.handler.__module__, definition.handler.__qualname__
    if module == "__main__":
        problem = "is in the main program; move it to a module that another process can import"
        raise InvalidArgument("executor", f"of {definition.name!r}: its handler {name} {problem}")
    found = find_handler(module, name)
    if found is None or found.handler is not definition.handler:
        problem = f"{module}.{name} is not its handler, decorated; another process could not find it"
        raise InvalidArgument("executor", f"of {definition.name!r}: {problem}")
