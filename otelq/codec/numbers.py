"""Floats in JSON, written so that every database gives them back as floats."""

from __future__ import annotations

import re
from typing import Final

_EXPONENT: Final = re.compile(rb"(?<=[0-9])[eE]\+?[1-9]")
_STRING_OR_EXPONENT: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|-?[0-9]+(?:\.[0-9]+)?[eE]\+?[0-9]+', re.DOTALL)


def with_points(data: bytes, *, longest: int | None) -> bytes:
    """
    Return the JSON with ``1e23`` written out, and with a point.

    PostgreSQL keeps numbers as decimals, and gives ``1e23`` back as an integer of 24 digits: another number than the
    float, where a type takes both. Once there are more than ``longest`` bytes the rest is left as it is.
    """
    if not ((b"e" in data or b"E" in data) and _EXPONENT.search(data)):
        return data
    parts: list[bytes] = []
    copied, size = 0, len(data)
    for found in _STRING_OR_EXPONENT.finditer(data):
        if found[0].startswith(b'"'):
            continue
        number = _with_point(found[0])
        parts += data[copied : found.start()], number
        copied = found.end()
        size += len(number) - len(found[0])
        if longest is not None and size > longest:
            break
    return b"".join(parts) + data[copied:]


def _with_point(number: bytes) -> bytes:
    mantissa, exponent = number.lower().split(b"e")
    whole, _, fraction = mantissa.partition(b".")
    shift = int(exponent)
    digits = fraction.ljust(shift, b"0")
    return whole + digits[:shift] + b"." + (digits[shift:] or b"0")
