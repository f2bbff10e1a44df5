"""Checks that every supported database can hold a value, made before anything is written."""

from __future__ import annotations

import re
from math import isfinite
from typing import cast

from ..errors import InvalidArgument
from ..texts import CONTROLS, LONGEST_TRACEBACK

MAX_PAYLOAD = 1 << 20
"""The default limit of a payload as it is stored, in bytes."""
MAX_DEPTH = 256
"""How deep arrays and objects may nest. All supported databases take 1,000 levels."""
MAX_SCALE = 16_383
"""How many digits a number may have after the point, written out: the limit of PostgreSQL's ``numeric``."""
MAX_ERROR_TEXT = LONGEST_TRACEBACK
"""How many characters of an error's text are kept."""

SURROGATE = "holds a lone surrogate, which is no text; decode the bytes it came from with an error handler"

_CONTROLS = re.compile(f"[\\t\\n{CONTROLS}]")
_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])|[0-9]{309}|[eE](?:\+?[0-9]{3}|-[0-9]{5})")
_ESCAPE = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes({*range(256)} - {*b"[]{}"})
_RUN = re.compile(rb"\[+|\]+")
_OPENING = ord("[")
_LEVELS = 8
_NUMBER = re.compile(rb"-?[0-9]+(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?")


def check_json(data: bytes, *, argument: str, limit: int | None = MAX_PAYLOAD) -> None:
    """
    Refuse JSON that some supported database could not hold; ``limit`` is in bytes, None for none.

    Raises:
        InvalidArgument: too large, nested too deep, NUL or a lone surrogate in text, or a number out of range.
    """
    check_size(data, argument=argument, limit=limit)
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH and _depth(data) > MAX_DEPTH:
        raise InvalidArgument(argument, f"nests deeper than {MAX_DEPTH} levels; flatten it")
    if _SUSPECT.search(data):  # one quick scan; only few payloads need the slow checks
        _check_escapes(data, argument)
        _check_numbers(data, argument)


def check_size(data: bytes, *, argument: str, limit: int | None) -> None:
    """Refuse JSON of more than ``limit`` bytes; None for no limit."""
    if limit is not None and len(data) > limit:
        raise InvalidArgument(
            argument,
            f"is {len(data):,} bytes as JSON, over the limit of {limit:,}; store it elsewhere and pass a key",
        )


def refuse_non_finite(plain: object, *, argument: str) -> None:
    """Refuse NaN and infinity: JSON has neither, and encoders write null in their place."""
    waiting = [plain]
    while waiting:
        item = waiting.pop()
        if isinstance(item, float) and not isfinite(item):
            raise InvalidArgument(argument, f"holds {item}, which JSON cannot express; send None or text")
        if isinstance(item, dict):
            waiting.extend(cast(dict[object, object], item).values())
        elif isinstance(item, (list, tuple)):
            waiting.extend(cast(list[object], item))


def check_text(text: str, *, argument: str, longest: int) -> str:
    """
    Refuse text that cannot be stored as a name or key.

    Raises:
        InvalidArgument: not text, empty, too long, or holding NUL or a lone surrogate.
    """
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        raise InvalidArgument(argument, f"is {type(text).__name__}; give text")
    if not 1 <= len(text) <= longest:
        raise InvalidArgument(argument, f"has {len(text)} characters; give 1 to {longest}")
    if "\0" in text:
        raise InvalidArgument(argument, "holds a NUL character; leave it out")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidArgument(argument, SURROGATE)
    return text


def check_line(text: str, *, argument: str, longest: int) -> str:
    """
    Refuse text that cannot be stored, or that could forge a line of a log or control a terminal that shows it.

    Raises:
        InvalidArgument: as of ``check_text``, or it holds control characters, line breaks or marks of direction.
    """
    check_text(text, argument=argument, longest=longest)
    if not text.isprintable() and (found := _CONTROLS.search(text)):
        raise InvalidArgument(argument, f"holds the control character {found[0]!a}; leave it out")
    return text


def _check_escapes(data: bytes, argument: str) -> None:
    # A surrogate is text only as a high one with a low one right after it.
    high = False
    end = -1
    for escape in _ESCAPE.finditer(data):
        if high and escape.start() != end:
            raise InvalidArgument(argument, SURROGATE)
        unit = int(escape[1], 16) if escape[1] else -1
        low = 0xDC00 <= unit <= 0xDFFF
        if low != high:
            raise InvalidArgument(argument, SURROGATE)
        high = 0xD800 <= unit <= 0xDBFF
        end = escape.end()
        if unit == 0:
            raise InvalidArgument(argument, "holds a NUL character, which databases refuse in text; leave it out")
    if high:
        raise InvalidArgument(argument, SURROGATE)


def _check_numbers(data: bytes, argument: str) -> None:
    for found in _NUMBER.finditer(_STRING.sub(b"", data)):
        exponent = float(found[2] or 0)
        if not isfinite(float(found[0])) or exponent > MAX_SCALE:
            problem = "too large"
        elif len(found[1] or b"") - exponent > MAX_SCALE:
            problem = "too fine"
        else:
            continue
        raise InvalidArgument(argument, f"holds the number {found[0][:20].decode()}…, {problem} to store; send text")


def _depth(data: bytes) -> int:
    """
    Return how deep the brackets nest.

    Removing the innermost pairs some levels at a time makes wide, shallow JSON short; deep JSON is then counted in runs
    of the same bracket.
    """
    brackets = _STRING.sub(b"", data).translate(_SQUARE, _NO_BRACKETS)
    for _ in range(_LEVELS):
        brackets = brackets.replace(b"[]", b"")
    deepest = depth = 0
    for run in _RUN.finditer(brackets):
        length = run.end() - run.start()
        depth += length if brackets[run.start()] == _OPENING else -length
        deepest = max(deepest, depth)
    return deepest + _LEVELS
