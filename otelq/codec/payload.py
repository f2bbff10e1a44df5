"""The payloads of one type: values to JSON text and back."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Any, Protocol, TypeVar, cast, get_args

from ..errors import InvalidArgument, UndecodablePayload
from .checks import MAX_DEPTH, MAX_PAYLOAD, SURROGATE, check_json
from .models import ModelFormat, is_model, is_model_dataclass
from .plain import PlainFormat
from .words import Misfit, name_of, words_of


class _Format(Protocol):
    """How values of one type are written and read."""

    def encode(self, value: object) -> bytes: ...
    def decode(self, data: bytes, /) -> Any: ...
    def builtins(self, value: object) -> object: ...


class Payload:
    """
    Encodes and decodes the values of one type.

    Making one builds a decoder, which is slow; keep it.

    Raises:
        InvalidArgument: the type is not one that can be read back from JSON.
    """

    __slots__ = ("_format", "type")

    def __init__(self, type: Any) -> None:
        self.type = type
        self._format = _format(type)

    def encode(self, value: object, *, argument: str = "input", limit: int | None = MAX_PAYLOAD) -> str:
        """
        The JSON text of ``value``, checked to fit the type, every database, and ``limit`` bytes (None: no limit).

        Raises:
            InvalidArgument: it does not fit; the message names ``argument``, what is wrong and what to do.
        """
        data = self._written(value, argument)
        check_json(data, argument=argument, limit=limit)
        if value is not None and b"null" in data:
            _refuse_non_finite(self._format.builtins(value), argument)
        try:
            self._format.decode(data)
        except Exception as error:
            words = words_of(error, data=data)
            raise InvalidArgument(argument, f"does not fit {name_of(self.type)}: {words}") from None
        return data.decode()

    def decode(self, text: str) -> Any:
        """
        The value that ``text`` stands for.

        Raises:
            UndecodablePayload: the text does not fit the type. The message does not repeat it, and no cause is kept
                that would.
        """
        try:
            data = text.encode()
        except UnicodeEncodeError:
            raise UndecodablePayload(f"does not fit {name_of(self.type)}: {SURROGATE}") from None
        try:
            return self._format.decode(data)
        except Exception as error:
            words = words_of(error, data=data)
            raise UndecodablePayload(f"does not fit {name_of(self.type)}: {words}") from None

    def _written(self, value: object, argument: str) -> bytes:
        try:
            return self._format.encode(value)
        except RecursionError:
            raise InvalidArgument(argument, f"nests deeper than {MAX_DEPTH} levels; flatten it") from None
        except UnicodeEncodeError:
            raise InvalidArgument(argument, SURROGATE) from None
        except Misfit as error:
            raise InvalidArgument(argument, f"does not fit {name_of(self.type)}: {error}") from None
        except Exception as error:
            raise InvalidArgument(argument, f"cannot be written as JSON: {error}") from error


def _format(kind: Any) -> _Format:
    parts = [*_parts(kind)]
    for part in parts:
        if isinstance(part, TypeVar):
            raise InvalidArgument("type", f"{name_of(kind)} holds the type variable {part}; give a type in its place")
    if any(is_model(part) or is_model_dataclass(part) for part in parts):
        return ModelFormat(kind)
    return PlainFormat(kind)


def _parts(kind: object) -> Iterator[object]:
    """The type, and the types that are its arguments, all the way down."""
    waiting = [kind]
    while waiting:
        part = waiting.pop()
        if type(part).__name__ == "TypeAliasType":  # ``type X = …`` of Python 3.12
            part = getattr(part, "__value__")  # noqa: B009  # unknown to the types of Python 3.11
        yield part
        waiting.extend(get_args(part))


def _refuse_non_finite(plain: object, argument: str) -> None:
    """JSON has no NaN and no infinity, and encoders write them as null: a silent loss."""
    waiting = [plain]
    while waiting:
        item = waiting.pop()
        if isinstance(item, float) and not isfinite(item):
            raise InvalidArgument(argument, f"holds {item}, which JSON cannot express; send None or text")
        if isinstance(item, dict):
            waiting.extend(cast(dict[object, object], item).values())
        elif isinstance(item, (list, tuple)):
            waiting.extend(cast(list[object], item))
