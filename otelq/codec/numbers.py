"""Writes floats in JSON so that every database returns them as floats."""

from __future__ import annotations

import re
from typing import Final

_EXPONENT: Final = re.compile(rb"(?<=[0-9])[eE]\+?[1-9]")
# Strings are matched too, so that text in them which looks like a number is passed over.
_STRING_OR_EXPONENT: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|-?[0-9]+(?:\.[0-9]+)?[eE]\+?[0-9]+', re.DOTALL)


def expand_exponents(data: bytes, *, longest: int | None) -> bytes:
    """
    Return the JSON with ``1e23`` written out, and with a point.

    PostgreSQL stores numbers as decimals, and returns ``1e23`` as an integer of 24 digits. Where a type takes both,
    that is another number than the float. Beyond ``longest`` bytes the rest is left as it is.
    """
    if not ((b"e" in data or b"E" in data) and _EXPONENT.search(data)):
        return data
    parts: list[bytes] = []
    copied, size = 0, len(data)
    for found in _STRING_OR_EXPONENT.finditer(data):
        if found[0].startswith(b'"'):
            continue
        number = _expand(found[0])
        parts += data[copied : found.start()], number
        copied = found.end()
        size += len(number) - len(found[0])
        if longest is not None and size > longest:
            break  # the payload will be refused; `1e308` many times over would fill the memory first
    return b"".join(parts) + data[copied:]


def _expand(number: bytes) -> bytes:
    mantissa, exponent = number.lower().split(b"e")
    whole, _, fraction = mantissa.partition(b".")
    shift = int(exponent)
    digits = fraction.ljust(shift, b"0")
    return whole + digits[:shift] + b"." + (digits[shift:] or b"0")
