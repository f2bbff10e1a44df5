"""Floats in JSON, written so that every database gives them back as floats."""

from __future__ import annotations

import re
from typing import Final

_EXPONENT: Final = re.compile(rb"(?<=[0-9])[eE]\+?[1-9]")
_STRING_OR_EXPONENT: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|-?[0-9]+(?:\.[0-9]+)?[eE]\+?[0-9]+', re.DOTALL)


def with_points(data: bytes) -> bytes:
    """
    Return the JSON with ``1e23`` written out, and with a point.

    PostgreSQL keeps numbers as decimals, and gives ``1e23`` back as an integer of 24 digits: another number than the
    float, where a type takes both.
    """
    if (b"e" in data or b"E" in data) and _EXPONENT.search(data):
        return _STRING_OR_EXPONENT.sub(_with_point, data)
    return data


def _with_point(found: re.Match[bytes]) -> bytes:
    token = found[0]
    if token.startswith(b'"'):
        return token
    mantissa, exponent = token.lower().split(b"e")
    whole, _, fraction = mantissa.partition(b".")
    shift = int(exponent)
    digits = fraction.ljust(shift, b"0")
    return whole + digits[:shift] + b"." + (digits[shift:] or b"0")
