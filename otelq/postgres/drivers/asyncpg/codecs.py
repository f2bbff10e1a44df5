"""Codecs that the application gave to its asyncpg connections, as the driver's manual shows for jsonb."""

from __future__ import annotations

from typing import Any, Final

from ....errors import InvalidArgument

_DOCUMENTS: Final = {114: "json", 3802: "jsonb"}
"""Types of single values of ours, which can be sent past a codec."""

_ELEMENTS: Final = {
    16: "bool",
    20: "int8",
    23: "int4",
    25: "text",
    701: "float8",
    1184: "timestamptz",
    2950: "uuid",
}
"""Types of elements of arrays of ours: the driver encodes these by the application's codec, whatever is asked of it."""


def must_be_passed(connection: Any, *, argument: str) -> bool:
    """
    Return whether statements have to go past codecs of the application.

    Raises:
        InvalidArgument: there is a codec that they cannot be sent past.
    """
    settings = connection._protocol.get_settings()
    for number, name in _ELEMENTS.items():
        if _is_replaced(settings, number):
            raise InvalidArgument(
                argument,
                f"has a codec of its own for {name}, by which otelq's arrays would be sent too; give a pool or a "
                "connection without it, or a URL",
            )
    return any(_is_replaced(settings, number) for number in _DOCUMENTS)


def _is_replaced(settings: Any, number: int) -> bool:
    return settings.get_data_codec(number) is not settings.get_data_codec(number, ignore_custom_codec=True)
