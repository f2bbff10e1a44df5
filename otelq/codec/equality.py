"""Which classes have an ``==`` that looks at every field, so that it can stand for a comparison field by field."""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec

from .fields import shape_of
from .pydantic_classes import is_model

_TUPLE_EQUAL: Final[object] = cast(Any, tuple).__eq__


def compares_fields(kind: Any) -> bool:
    """
    Return whether two values of a class are equal only if all their fields are.

    A class of the user's is tried: with the same fields, then with each field another. One that has an ``==`` of its
    own, by id only say, does not pass, and neither does a dataclass with ``field(compare=False)``.
    """
    equal: object = kind.__eq__
    if is_model(kind):
        from pydantic import BaseModel

        return equal is BaseModel.__eq__
    if issubclass(kind, msgspec.Struct):
        return bool(kind.__struct_config__.eq and equal is msgspec.Struct.__eq__)
    if issubclass(kind, tuple):
        return equal is _TUPLE_EQUAL
    try:
        return _passes(kind)
    except Exception:  # whatever a class may raise that is not made by its constructor
        return False


def _passes(kind: Any) -> bool:
    shape = shape_of(kind)
    if shape is None:
        return False
    same, field = object(), object()
    value: object = _made(kind, dict.fromkeys(shape.names, same))
    if value != _made(kind, dict.fromkeys(shape.names, same)):
        return False
    return not any(value == _made(kind, {**dict.fromkeys(shape.names, same), name: field}) for name in shape.names)


def _made(kind: Any, fields: dict[str, object]) -> object:
    value: Any = object.__new__(kind)
    for name, content in fields.items():
        object.__setattr__(value, name, content)
    return value
