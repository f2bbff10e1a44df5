"""Types of msgspec's to JSON and back: dataclasses, TypedDict, attrs, Struct, NamedTuple, unions, plain JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import msgspec
from msgspec import inspect

from ..errors import InvalidArgument
from .models import Models, is_model, is_model_dataclass
from .words import name_of


class PlainFormat:
    """
    How values of a type of msgspec's are written and read; pydantic models may stand in fields.

    Raises:
        InvalidArgument: msgspec does not know the type, or nothing could ever be read as it.
    """

    __slots__ = ("_encoder", "decode")

    def __init__(self, kind: Any) -> None:
        try:
            found = [*_classes(inspect.type_info(kind))]
        except Exception as error:  # msgspec raises several, and evaluating annotations may raise any
            raise _unreadable(kind, str(error).split("\n", 1)[0]) from error
        for each in found:
            if not is_model(each):
                raise _unreadable(kind, f"nothing fits {name_of(each)}")
        models = Models(frozenset(found))
        self._encoder = msgspec.json.Encoder(enc_hook=models.write if found else None)
        self.decode = msgspec.json.Decoder[Any](kind, dec_hook=models.read if found else None).decode

    def encode(self, value: object) -> bytes:
        """The value as JSON; whether it fits the type shows when it is read again."""
        return self._encoder.encode(value)

    def builtins(self, value: object) -> object:
        """The value in dicts and lists, with numbers as they are."""
        return msgspec.to_builtins(value, enc_hook=vars)


def _classes(info: inspect.Type) -> Iterator[type]:
    """The classes inside a type that msgspec does not know from within: models, and what nothing can be read as."""
    waiting: list[object] = [info]
    seen: set[int] = set()
    while waiting:
        part = waiting.pop()
        if isinstance(part, tuple):
            waiting.extend(cast(tuple[object, ...], part))
        if not isinstance(part, (inspect.Type, inspect.Field)) or id(part) in seen:
            continue
        seen.add(id(part))
        waiting.extend(getattr(part, name) for name in part.__struct_fields__)
        cls = getattr(part, "cls", None)
        if cls is not None and (isinstance(part, inspect.CustomType) or is_model_dataclass(cls)):
            yield cls


def _unreadable(kind: Any, reason: str) -> InvalidArgument:
    return InvalidArgument(
        "type", f"{name_of(kind)} cannot be read from JSON: {reason}; use a dataclass or plain JSON types"
    )
