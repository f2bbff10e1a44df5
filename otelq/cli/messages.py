"""The messages between the supervisor of ``otelq worker`` and its worker processes: JSON, one a line; never pickle."""

from __future__ import annotations

from typing import TypeAlias

import click
from msgspec import Struct
from msgspec.json import Decoder, Encoder

from ..errors import Forbidden, InvalidArgument, OtelqError
from ..texts import line
from .factories import FactoryRaised
from .options import WorkerOptions


class StartRequest(Struct, frozen=True, tag=True):
    """Run these workers."""

    options: WorkerOptions


class StopRequest(Struct, frozen=True, tag=True):
    """Stop gracefully, or at once."""

    at_once: bool = False


class ReportRequest(Struct, frozen=True, tag=True):
    """Report, with this number."""

    number: int


class WorkersStarted(Struct, frozen=True, tag=True):
    """All workers run."""

    patience: float
    """Seconds that they may take to stop."""


class ProcessReport(Struct, frozen=True, tag=True, kw_only=True):
    """The state of a process."""

    number: int
    live: bool
    ready: bool
    problem: str
    ended: int
    """The number of attempts that have ended in this process."""
    memory: int
    """The memory of the process in bytes."""


class ProcessFailure(Struct, frozen=True, tag=True, kw_only=True):
    """The process ends with this error."""

    problem: str
    argument: str | None = None
    """The argument that cannot be used."""
    is_usage: bool = False
    is_permanent: bool = False
    """A new process would fail in the same way."""

    @classmethod
    def by(cls, error: Exception) -> ProcessFailure:
        """Return the message about an error."""
        match error:
            case FactoryRaised():
                return cls(problem=line(error.message), is_usage=True)
            case click.UsageError():
                return cls(problem=line(error.message), is_usage=True, is_permanent=True)
            case InvalidArgument():
                return cls(problem=line(error.problem), argument=error.argument, is_permanent=True)
            case _:
                is_permanent = isinstance(error.__cause__, Forbidden)  # of a worker whose role lacks rights
                return cls(problem=line(str(error).partition("\n")[0]), is_permanent=is_permanent)

    @property
    def exit_code(self) -> int:
        """Return the exit code of a command that ends with the error."""
        return 2 if self.is_usage or self.argument is not None else 1

    @property
    def error(self) -> Exception:
        """Return the error with which the command ends."""
        if self.argument is not None:
            return InvalidArgument(self.argument, self.problem)
        return click.UsageError(self.problem) if self.is_usage else OtelqError(self.problem)


Order: TypeAlias = StartRequest | StopRequest | ReportRequest
Answer: TypeAlias = WorkersStarted | ProcessReport | ProcessFailure

_encoder = Encoder()
_orders: Decoder[Order] = Decoder(Order)
_answers: Decoder[Answer] = Decoder(Answer)


def encode(message: Order | Answer) -> bytes:
    """Return a message as a line."""
    return _encoder.encode(message) + b"\n"


def read_order(line: bytes) -> Order:
    """Return a message of the supervisor."""
    return _orders.decode(line)


def read_answer(line: bytes) -> Answer:
    """Return a message of a worker process."""
    return _answers.decode(line)
