"""The values that a database would refuse, refused here too."""

from __future__ import annotations

import re

import msgspec

from otelq.errors import Refused
from otelq.model import Amendment, Completes, Continues, Fails, Failure, NewJob, Outcome, Retries, Successor

_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_syntax = msgspec.json.Decoder(msgspec.Raw)


def check_job(job: NewJob | Successor) -> None:
    """
    Refuse a job whose texts cannot be stored.

    Raises:
        Refused: it holds NUL, a lone surrogate, or what should be JSON is not.
    """
    _json(job.input)
    if job.meta is not None:
        _json(job.meta)
    for text in (job.type, job.queue, job.trace):
        _text(text or "")


def check_outcome(outcome: Outcome) -> None:
    """
    Refuse an outcome whose texts cannot be stored.

    Raises:
        Refused: it holds NUL, a lone surrogate, or what should be JSON is not.
    """
    match outcome:
        case Completes(output):
            _json(output)
        case Continues(successor):
            check_job(successor)
        case Retries(_, failure) | Fails(failure):
            _failure(failure)
        case _:
            pass


def check_amendment(amendment: Amendment) -> None:
    """
    Refuse an amendment whose input cannot be stored.

    Raises:
        Refused: it holds NUL, a lone surrogate, or what should be JSON is not.
    """
    if amendment.input is not None:
        _json(amendment.input)


def _failure(failure: Failure) -> None:
    _text(failure.type)
    _text(failure.text)


def _text(text: str) -> bytes:
    if "\0" in text:
        raise Refused("text with a NUL character cannot be stored")
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise Refused("text with a lone surrogate cannot be stored") from error


def _json(text: str) -> None:
    data = _text(text)
    try:
        _syntax.decode(data)
        if b"\\u" in data:
            msgspec.json.decode(data)  # the syntax check alone lets half a surrogate pair pass
    except (msgspec.DecodeError, RecursionError) as error:
        raise Refused(f"this is not JSON that can be stored: {error}") from error
    if _NUL.search(data):
        raise Refused("JSON text with a NUL character cannot be stored")
