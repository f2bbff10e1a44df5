"""SQLite: verbs are made in processes that are killed, and on a disk that fails."""

from __future__ import annotations

import asyncio
import pickle
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from subprocess import PIPE, Popen
from types import TracebackType
from typing import Self

from otelq.adapters import is_private
from otelq.errors import InvalidArgument
from otelq.ports.state import StateAdapter
from otelq.sqlite import adapter

from ..drivers import SQLITE
from .points import CANCELS, Interruption, Point
from .scenario_kit import ArrangedScenario
from .stages import StatementTrace
from .victim import LENGTH, SYNCHRONOUS, VerbOrder


class FileStage:
    """A SQLite file. Its processes are forked, which not every operating system supports."""

    faults = (Interruption.BROKEN, Interruption.FULL, Interruption.KILLED, *CANCELS)

    def __init__(self, url: str, *, schema: str, driver: str | None = None) -> None:
        if is_private(url):
            raise InvalidArgument("url", f"is {url!r}; give one of a file, which other processes can open")
        self._url = url
        self._driver = driver or SQLITE[0]
        self.schema = schema
        self.ledger = f"{schema}_crashpoints_ledger"
        self._victims: Popen[bytes]

    def __enter__(self) -> Self:
        self._victims = Popen([sys.executable, "-m", f"{__package__}.victim"], stdin=PIPE, stdout=PIPE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._victims.communicate()

    def adapter(self) -> StateAdapter:
        return adapter(self._url, schema=self.schema, synchronous=SYNCHRONOUS)

    @asynccontextmanager
    async def perform(self, play: ArrangedScenario, point: Point | None) -> AsyncGenerator[StatementTrace]:
        answer = await asyncio.to_thread(self._send, self._order(play, point))
        if isinstance(answer, StatementTrace):
            yield answer
        else:
            problem = "" if answer == -signal.SIGKILL else f"ended with {answer}"
            yield StatementTrace(statements=(), result=None, problem=problem)

    def _order(self, play: ArrangedScenario, point: Point | None) -> VerbOrder:
        return VerbOrder(
            scenario=play.scenario.name,
            world=play.world,
            now=play.now,
            ledger=play.ledger,
            point=point,
            url=self._url,
            schema=self.schema,
            driver=self._driver,
        )

    def _send(self, order: VerbOrder) -> StatementTrace | int:
        source, sink = self._victims.stdout, self._victims.stdin
        assert source is not None
        assert sink is not None
        message = pickle.dumps(order)
        sink.write(len(message).to_bytes(LENGTH) + message)
        sink.flush()
        answer: StatementTrace | int = pickle.loads(source.read(int.from_bytes(source.read(LENGTH))))
        return answer
