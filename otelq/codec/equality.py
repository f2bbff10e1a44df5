"""Finds classes whose ``==`` looks at every field, so that it can replace a comparison field by field."""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec

from .fields import fields_of
from .pydantic_classes import is_model

_TUPLE_EQUAL: Final[object] = cast(Any, tuple).__eq__


def compares_fields(kind: Any) -> bool:
    """
    Return whether two values of a class are equal only if all their fields are.

    Classes of the application are tried out: two objects with the same fields, then with each field different. A class
    with an ``==`` that looks at an id only does not pass, nor does a dataclass with ``field(compare=False)``.
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
        return _has_field_equality(kind)
    except Exception:  # a class may raise anything when its constructor was bypassed
        return False


def _has_field_equality(kind: Any) -> bool:
    shape = fields_of(kind)
    if shape is None:
        return False
    same, field = object(), object()
    value: object = _construct(kind, dict.fromkeys(shape.names, same))
    if value != _construct(kind, dict.fromkeys(shape.names, same)):
        return False
    return not any(value == _construct(kind, {**dict.fromkeys(shape.names, same), name: field}) for name in shape.names)


def _construct(kind: Any, fields: dict[str, object]) -> object:
    value: Any = object.__new__(kind)
    for name, content in fields.items():
        object.__setattr__(value, name, content)
    return value
