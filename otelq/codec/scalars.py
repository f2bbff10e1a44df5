"""Standard library classes that are written as text and read by their constructor: paths and IP addresses."""

from __future__ import annotations

import ipaddress
import pathlib
from typing import Any, Final

_TEXTS: Final = (
    pathlib.PurePath,
    ipaddress.IPv4Address,
    ipaddress.IPv6Address,
    ipaddress.IPv4Network,
    ipaddress.IPv6Network,
    ipaddress.IPv4Interface,
    ipaddress.IPv6Interface,
)


def is_textual(kind: type) -> bool:
    """Return whether values of the class are written as their text."""
    return issubclass(kind, _TEXTS)


def read_text(kind: Any, text: object) -> object:
    """
    Return the value of a class from its text.

    Raises:
        TypeError, ValueError: the text is no such value.
    """
    if not isinstance(text, str):
        raise TypeError(f"Expected `str` for {kind.__qualname__}, got `{type(text).__qualname__}`")
    return kind(text)
