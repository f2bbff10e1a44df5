"""Values that SQLite would store but not return, or that no other database stores: refused before they are written."""

from __future__ import annotations

import re

import msgspec

from ..errors import Refused
from ..model import Completes, Continues, NewJob, Outcome, Successor

_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def check_job(job: NewJob | Successor) -> None:
    """
    Refuse payloads that no database can store. The statements check whether they are JSON at all.

    Raises:
        Refused: JSON with an escaped NUL or half a surrogate pair.
    """
    check_json(job.input)
    if job.meta is not None:
        check_json(job.meta)


def check_outcome(outcome: Outcome) -> None:
    """Refuse the same in the output or the successor of an outcome."""
    match outcome:
        case Completes(output):
            check_json(output)
        case Continues(successor):
            check_job(successor)
        case _:
            pass


def check_json(text: str) -> None:
    """Refuse one payload. Only text with an escaped character is decoded."""
    if "\\u" not in text:
        return
    if _NUL.search(text):
        raise Refused("a payload holds an escaped NUL character, which cannot be stored")
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise Refused(f"a payload is not JSON that can be stored: {error}") from error
