"""Handlers that get in between the worker and their process; in a module that processes can import."""

from __future__ import annotations

import os
import stat

import msgspec

import otelq
from otelq.worker.process_protocol import Answer, Returned, frame

from .support import ONCE

jobs = otelq.Jobs()


def wire() -> int:
    """The descriptor on which this process answers."""
    pipes = [fd for fd in range(3, 64) if _is_pipe(fd)]
    return pipes[-1]


def _is_pipe(fd: int) -> bool:
    try:
        return stat.S_ISFIFO(os.fstat(fd).st_mode)
    except OSError:
        return False


def forged(token: int, output: object) -> bytes:
    return frame(Answer(token, Returned(msgspec.json.encode(output).decode())))


@jobs.job("forges", executor="process", retry=ONCE)
def forges(attempt: otelq.Attempt[str]) -> str:
    """Writes something to the wire, and returns."""
    match attempt.input:
        case "an answer of its own":
            os.write(wire(), forged(attempt.token, "forged"))
        case "an answer of another":
            os.write(wire(), forged(attempt.token + 1, "forged"))
        case "an endless length":
            os.write(wire(), b"\xff\xff\xff\xff")
        case "garbage":
            os.write(wire(), b"\x00\x00\x00\x04{{{{")
        case "half a prefix":
            os.write(wire(), b"\x00\x00")
        case "half an answer":
            os.write(wire(), forged(attempt.token, "forged")[:-4])
            os._exit(0)
        case "deep nesting":
            text = b"[" * 100_000
            os.write(wire(), len(text).to_bytes(4) + text)
        case "its end":
            os.close(wire())
        case _:
            pass
    return f"returned after {attempt.input}"


@jobs.job("honest", executor="process", retry=ONCE)
def honest(attempt: otelq.Attempt[int]) -> int:
    return attempt.input


@jobs.job("large", executor="process", retry=ONCE)
def large(attempt: otelq.Attempt[int]) -> str:
    return '"' * attempt.input


@jobs.job("floods", executor="process", retry=ONCE)
def floods(attempt: otelq.Attempt[int]) -> None:
    """Sends a well-formed answer that is larger than any payload may be."""
    with open(wire(), "wb", closefd=False) as pipe:
        pipe.write(forged(attempt.token, "x" * attempt.input))
