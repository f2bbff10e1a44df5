"""The check of a continuation's type: its output must be readable as the output of the chain."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, is_typeddict

from ..codec import has_fields
from ..errors import InvalidArgument
from .types import JobType

_OTHER_JSON: Final[frozenset[tuple[type, type]]] = frozenset({(bool, int), (datetime, date)})

ValueClasses = frozenset[type] | None
"""The classes of a type's values; None if they are not known."""


def check_continuation(target: JobType[Any, Any], *, of: JobType[Any, Any], argument: str) -> None:
    """
    Refuse to continue a job of type ``of`` into a type whose output is certainly another one.

    Only classes are compared, not their contents: ``list[int]`` passes for ``list[str]``. Type checkers see more.
    """
    if target is not of and not _is_compatible(target, of):
        found, expected = target.signature.output.type, of.signature.output.type
        problem = f"leads into {target.name!r}, which yields {found}, but the chain of {of.name!r} yields {expected}"
        raise InvalidArgument(argument, f"{problem}; continue into a type that yields the same")


@lru_cache(maxsize=4096)  # asked for every continuation, of a few pairs of types
def _is_compatible(target: JobType[Any, Any], of: JobType[Any, Any]) -> bool:
    found, expected = value_classes(target.signature.output.type), value_classes(of.signature.output.type)
    if found is None or expected is None:
        return True
    return all(any(_is_readable_as(one, other) for other in expected) for one in found)


def value_classes(annotation: Any) -> ValueClasses:
    """Return the classes that values of an annotated type have."""
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return _union([value_classes(part) for part in get_args(annotation)])
    if origin is Literal:
        values: tuple[object, ...] = get_args(annotation)
        return frozenset(type(value) for value in values)
    if origin is Annotated:
        return value_classes(get_args(annotation)[0])
    if annotation is None:
        return frozenset({NoneType})
    if is_typeddict(origin or annotation):
        return frozenset({dict})
    cls: object = origin or annotation
    if annotation is Any or not isinstance(cls, type) or getattr(cls, "_is_protocol", False):
        return None
    return frozenset[type]({cls})


def _union(parts: list[ValueClasses]) -> ValueClasses:
    known = [part for part in parts if part is not None]
    return frozenset[type]().union(*known) if len(known) == len(parts) else None


def _is_readable_as(found: type, expected: type) -> bool:
    """
    Return whether a value of class ``found``, once it is stored, can be read as one of class ``expected``.

    An int can be read as a float. A subclass cannot be read as its base if it would lose its fields, or if its JSON
    differs: that of a bool is no int, and that of a datetime is no date.
    """
    if found is expected or (found is int and expected is float):
        return True
    try:
        return issubclass(found, expected) and not (has_fields(expected) or (found, expected) in _OTHER_JSON)
    except TypeError:  # a class that `issubclass` cannot be asked about: let it pass, type checkers see more
        return True
