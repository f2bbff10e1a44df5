"""
Typed payloads to JSON text and back, and the checks at the border.

What ``encode`` returns can be decoded again as the same type, and every supported database can hold it: the check is
made before anything is written, so that one bad value never reaches a batch. Types are what msgspec understands
(dataclasses, TypedDict, attrs, Struct, NamedTuple, unions, plain JSON) and pydantic models.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from math import isfinite
from typing import Any, cast

import msgspec

from .errors import InvalidArgument, UndecodablePayload

MAX_PAYLOAD = 1 << 20
"""The default limit of an encoded payload, in bytes."""
MAX_DEPTH = 256
"""How deep arrays and objects may nest: the least that all supported databases take is 1,000."""
MAX_ERROR_TEXT = 8_000
"""How many characters of an error's text are kept."""

_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])|[0-9]{309}|[eE]\+?[0-9]{3}")
_ESCAPE = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NUMBER = re.compile(rb"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


class Payload:
    """
    Encodes and decodes the values of one type.

    Making one builds a decoder, which is slow; keep it.

    Raises:
        InvalidArgument: the type is not one that can be read back from JSON.
    """

    __slots__ = ("_decode", "_encode", "type")

    def __init__(self, type: Any) -> None:
        self.type = type
        self._encode, self._decode = _pydantic(type) or _msgspec(type)

    def encode(self, value: object, *, argument: str = "input", limit: int = MAX_PAYLOAD) -> str:
        """
        The JSON text of ``value``, checked to fit the type, every database, and ``limit`` bytes.

        Raises:
            InvalidArgument: it does not fit; the message names ``argument``, what is wrong and what to do.
        """
        try:
            data = self._encode(value)
        except RecursionError:
            raise InvalidArgument(argument, f"nests deeper than {MAX_DEPTH} levels; flatten it") from None
        except UnicodeEncodeError:
            raise InvalidArgument(argument, _SURROGATE) from None
        except Exception as error:
            raise InvalidArgument(argument, f"cannot be written as JSON: {error}") from error
        check_json(data, argument=argument, limit=limit)
        if value is not None and b"null" in data:
            _refuse_non_finite(value, argument)
        try:
            self._decode(data)
        except Exception as error:
            raise InvalidArgument(argument, f"does not fit {_name(self.type)}: {_first_line(error)}") from error
        return data.decode()

    def decode(self, text: str) -> Any:
        """
        The value that ``text`` stands for.

        Raises:
            UndecodablePayload: the text does not fit the type.
        """
        try:
            return self._decode(text.encode())
        except Exception as error:
            raise UndecodablePayload(f"does not fit {_name(self.type)}: {_first_line(error)}") from error


_SURROGATE = "holds a lone surrogate, which is no text; decode the bytes it came from with an error handler"


def check_json(data: bytes, *, argument: str, limit: int = MAX_PAYLOAD) -> None:
    """
    Refuse JSON that some supported database could not hold.

    Raises:
        InvalidArgument: too large, nested too deep, NUL or a lone surrogate in text, or a number out of range.
    """
    if len(data) > limit:
        raise InvalidArgument(
            argument,
            f"is {len(data):,} bytes as JSON, over the limit of {limit:,}; store it elsewhere and pass a key",
        )
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH and _depth(data) > MAX_DEPTH:
        raise InvalidArgument(argument, f"nests deeper than {MAX_DEPTH} levels; flatten it")
    if _SUSPECT.search(data):
        _check_escapes(data, argument)
        _check_numbers(data, argument)


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
        raise InvalidArgument(argument, _SURROGATE)
    return text


def storable(text: str, *, longest: int = MAX_ERROR_TEXT) -> str:
    """Text from anywhere, made fit to be stored: bounded, with NUL and lone surrogates replaced."""
    cut = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return cut.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def _msgspec(kind: Any) -> tuple[Callable[[object], bytes], Callable[[bytes], Any]]:
    try:
        decoder = msgspec.json.Decoder[Any](kind)
    except Exception as error:
        raise InvalidArgument(
            "type",
            f"{_name(kind)} cannot be read from JSON: {_first_line(error)}; use a dataclass or plain JSON types",
        ) from error
    return msgspec.json.Encoder().encode, decoder.decode


def _pydantic(kind: Any) -> tuple[Callable[[object], bytes], Callable[[bytes], Any]] | None:
    """The pair for a pydantic model; pydantic is imported by whoever defined the model, never by us first."""
    module = sys.modules.get("pydantic")
    if module is None or not (isinstance(kind, type) and issubclass(kind, module.BaseModel)):
        return None
    adapter = module.TypeAdapter(kind)

    def encode(value: object) -> bytes:
        if not isinstance(value, kind):
            raise TypeError(f"{type(value).__name__} is not {_name(kind)}")
        return cast(bytes, adapter.dump_json(value))

    return encode, adapter.validate_json


def _check_escapes(data: bytes, argument: str) -> None:
    high = False
    end = -1
    for escape in _ESCAPE.finditer(data):
        if high and escape.start() != end:
            raise InvalidArgument(argument, _SURROGATE)
        unit = int(escape[1], 16) if escape[1] else -1
        low = 0xDC00 <= unit <= 0xDFFF
        if low != high:
            raise InvalidArgument(argument, _SURROGATE)
        high = 0xD800 <= unit <= 0xDBFF
        end = escape.end()
        if unit == 0:
            raise InvalidArgument(argument, "holds a NUL character, which databases refuse in text; leave it out")
    if high:
        raise InvalidArgument(argument, _SURROGATE)


def _check_numbers(data: bytes, argument: str) -> None:
    for number in _NUMBER.findall(_STRING.sub(b"", data)):
        if not isfinite(float(number)):
            raise InvalidArgument(argument, f"holds the number {number[:20].decode()}…, too large to store; send text")


def _depth(data: bytes) -> int:
    deepest = depth = 0
    for character in _STRING.sub(b"", data):
        if character in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in b"]}":
            depth -= 1
    return deepest


def _refuse_non_finite(value: object, argument: str) -> None:
    """JSON has no NaN and no infinity, and encoders write them as null: a silent loss."""
    waiting = [msgspec.to_builtins(value, enc_hook=vars)]
    while waiting:
        item = waiting.pop()
        if isinstance(item, float) and not isfinite(item):
            raise InvalidArgument(argument, f"holds {item}, which JSON cannot express; send None or text")
        if isinstance(item, dict):
            waiting.extend(cast(dict[object, object], item).values())
        elif isinstance(item, (list, tuple)):
            waiting.extend(cast(list[object], item))


def _name(kind: Any) -> str:
    return getattr(kind, "__qualname__", None) or str(kind)


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]
