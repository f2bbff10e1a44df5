"""The format of types that msgspec knows: dataclasses, TypedDict, attrs, Struct, NamedTuple, unions, plain JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, cast

import msgspec
from msgspec import inspect

from ..errors import InvalidArgument
from .equality import compares_fields
from .error_text import type_name
from .fields import fields_of
from .plain_values import plain_value
from .pydantic_classes import is_model_dataclass, is_validated
from .pydantic_format import NestedModels
from .scalars import is_textual, read_text


class MsgspecFormat:
    """
    The format of a type that msgspec knows; its fields may hold pydantic models.

    Raises:
        InvalidArgument: msgspec does not know the type, or nothing could ever be read as it.
    """

    def __init__(self, kind: Any) -> None:
        try:
            parts = [*_parts(inspect.type_info(kind))]
        except Exception as error:  # msgspec raises several, and evaluating annotations may raise anything
            raise _unreadable(kind, str(error).split("\n", 1)[0]) from error
        unknown = frozenset(_unknown_classes(parts))
        for each in unknown:
            if not (is_validated(each) or is_textual(each)):
                raise _unreadable(kind, f"nothing fits {type_name(each)}")
        self._models = NestedModels(frozenset(each for each in unknown if not is_textual(each)))
        self._encoder = msgspec.json.Encoder(enc_hook=self._write)
        # Only with a hook if one is needed: it slows every decode.
        self.decode: Final = msgspec.json.Decoder[Any](kind, dec_hook=self._read if unknown else None).decode
        self.is_comparable: Final = all(map(compares_fields, _classes_with_fields(parts)))
        self.has_any_number: Final = any(isinstance(part, inspect.AnyType) or _is_any_number(part) for part in parts)
        self.keys: Final = frozenset(_field_names(parts)).union(*(model.keys for model in self._models))

    def encode(self, value: object) -> bytes:
        """Return the value as JSON. Reading it again shows whether it fits the type."""
        return self._encoder.encode(value)

    def builtins(self, value: object) -> object:
        """Return the value in dicts and lists, with numbers as they are."""
        return msgspec.to_builtins(value, enc_hook=vars)

    def advice(self, data: bytes) -> str:
        """Return advice for a value that is read back as another one."""
        for model in self._models:
            return model.advice(data)
        return "declare the type that it has, or give a value of the type that is declared"

    def _write(self, value: object) -> object:
        """Return a value that msgspec can write in place of one that it does not know."""
        plain = plain_value(value)
        if plain is not value:
            return plain
        return str(value) if is_textual(type(value)) else self._models.write(value)

    def _read(self, kind: type, value: object) -> object:
        """Return an object of a class that msgspec does not know, from plain JSON."""
        return read_text(kind, value) if is_textual(kind) else self._models.read(kind, value)


def _parts(info: inspect.Type) -> Iterator[inspect.Type | inspect.Field]:
    """Yield a type and all types in it, as msgspec sees them."""
    waiting: list[object] = [info]
    seen: set[int] = set()  # types may be recursive
    while waiting:
        part = waiting.pop()
        if isinstance(part, tuple):
            waiting.extend(cast(tuple[object, ...], part))
        if not isinstance(part, (inspect.Type, inspect.Field)) or id(part) in seen:
            continue
        seen.add(id(part))
        waiting.extend(getattr(part, name) for name in part.__struct_fields__)
        yield part


def _unknown_classes(parts: Iterable[inspect.Type | inspect.Field]) -> Iterator[type]:
    """Yield the classes that msgspec cannot read by itself: models, and classes that nothing can be read as."""
    for part in parts:
        cls = getattr(part, "cls", None)
        if cls is not None and (isinstance(part, inspect.CustomType) or is_model_dataclass(cls)):
            yield cls


def _classes_with_fields(parts: Iterable[inspect.Type | inspect.Field]) -> Iterator[type]:
    """Yield the classes that have fields, and may have an ``==`` of their own."""
    for part in parts:
        cls = getattr(part, "cls", None)
        skipped = isinstance(part, (inspect.EnumType, inspect.TypedDictType))
        if cls is not None and not skipped and fields_of(cls) is not None:
            yield cls


def _field_names(parts: Iterable[inspect.Type | inspect.Field]) -> Iterator[str]:
    return (part.name for part in parts if isinstance(part, inspect.Field))


def _is_any_number(part: object) -> bool:
    """Return whether a number can be read both as an int and as a float."""
    if not isinstance(part, inspect.UnionType):
        return False
    kinds = {type(member) for member in part.types}
    return {inspect.IntType, inspect.FloatType} <= kinds


def _unreadable(kind: Any, reason: str) -> InvalidArgument:
    return InvalidArgument(
        "type", f"{type_name(kind)} cannot be read from JSON: {reason}; use a dataclass or plain JSON types"
    )
