"""Finds the fields of classes, for the comparison of payloads."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final, NamedTuple, get_args, get_origin, get_type_hints

import msgspec

from .pydantic_classes import is_model

MISSING: Final = object()
"""The value of a field that is not set."""

_ABSTRACT: Final[tuple[object, ...]] = (Sequence, Collection, Iterable, AbstractSet)


class ClassFields(NamedTuple):
    """The fields of a class: of a dataclass, Struct, attrs class or pydantic model."""

    names: tuple[str, ...]
    values: Callable[[object], Sequence[object]]
    abstract: frozenset[str]
    """The fields whose annotations name an abstract collection."""
    is_model: bool


@lru_cache(maxsize=4096)  # asked for every object in every payload
def fields_of(kind: type) -> ClassFields | None:
    """Return the fields of a class; None for a class that has none, or is of another kind."""
    names = tuple(_fields(kind))
    return ClassFields(names, _getter(names), _abstract_fields(kind), is_model(kind)) if names else None


def has_fields(kind: Any) -> bool:
    """Return whether a class is a dataclass, Struct, attrs class or pydantic model, even one without any field."""
    return (
        is_model(kind)
        or dataclasses.is_dataclass(kind)
        or issubclass(kind, msgspec.Struct)
        or hasattr(kind, "__attrs_attrs__")
    )


def is_abstract(annotation: object) -> bool:
    """Return whether an annotation names an abstract collection, such as ``Sequence[int]``."""
    waiting: list[object] = [annotation]
    while waiting:
        part = waiting.pop()
        if any((get_origin(part) or part) is abstract for abstract in _ABSTRACT):
            return True
        waiting.extend(get_args(part))
    return False


def _fields(kind: Any) -> Iterable[str]:
    if is_model(kind):
        return [*kind.model_fields]
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    if issubclass(kind, msgspec.Struct):
        names: tuple[str, ...] = kind.__struct_fields__
        return names
    return [attribute.name for attribute in getattr(kind, "__attrs_attrs__", ())]


def _getter(names: tuple[str, ...]) -> Callable[[object], Sequence[object]]:
    """Return a function that gets the values of these attributes, quick if all are set."""
    quick = attrgetter(*names, names[0])  # one name more: with a single name it would not return a tuple

    def get(value: object) -> Sequence[object]:
        try:
            return quick(value)[:-1]
        except AttributeError:
            return [getattr(value, name, MISSING) for name in names]

    return get


def _abstract_fields(kind: type) -> frozenset[str]:
    try:
        hints = get_type_hints(kind)
    except Exception:  # evaluating the annotations of an application may raise anything
        return frozenset()
    return frozenset(name for name, advice in hints.items() if is_abstract(advice))
