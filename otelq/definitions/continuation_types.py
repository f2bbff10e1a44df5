"""Whether a chain may continue into a type: what that yields must be readable as what the chain yields."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, is_typeddict

from ..codec import has_fields
from ..errors import InvalidArgument
from .types import JobType

_WRITTEN_OTHERWISE: Final[frozenset[tuple[type, type]]] = frozenset({(bool, int), (datetime, date)})

Kinds = frozenset[type] | None
"""The classes of a type's values; None where they cannot be told."""


def check_continuation(target: JobType[Any, Any], *, of: JobType[Any, Any], argument: str) -> None:
    """
    Refuse to continue a job of type ``of`` into a type whose output is surely another one.

    Only classes are compared, not what they hold: ``list[int]`` passes for ``list[str]``. Type checkers see more.
    """
    if target is not of and not _fits(target, of):
        found, wanted = target.signature.output.type, of.signature.output.type
        problem = f"leads into {target.name!r}, which yields {found}, but the chain of {of.name!r} yields {wanted}"
        raise InvalidArgument(argument, f"{problem}; continue into a type that yields the same")


@lru_cache(maxsize=4096)
def _fits(target: JobType[Any, Any], of: JobType[Any, Any]) -> bool:
    found, wanted = kinds(target.signature.output.type), kinds(of.signature.output.type)
    if found is None or wanted is None:
        return True
    return all(any(_passes(one, other) for other in wanted) for one in found)


def kinds(annotation: Any) -> Kinds:
    """The classes that the values of an annotated type have."""
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return _all_of([kinds(part) for part in get_args(annotation)])
    if origin is Literal:
        values: tuple[object, ...] = get_args(annotation)
        return frozenset(type(value) for value in values)
    if origin is Annotated:
        return kinds(get_args(annotation)[0])
    if annotation is None:
        return frozenset({NoneType})
    if is_typeddict(origin or annotation):
        return frozenset({dict})
    cls: object = origin or annotation
    if annotation is Any or not isinstance(cls, type) or getattr(cls, "_is_protocol", False):
        return None
    return frozenset[type]({cls})


def _all_of(parts: list[Kinds]) -> Kinds:
    known = [part for part in parts if part is not None]
    return frozenset[type]().union(*known) if len(known) == len(parts) else None


def _passes(found: type, wanted: type) -> bool:
    """
    Return whether a value of the one class, once it is written, can be read as one of the other.

    An int passes for a float, as everywhere. A subclass does not where it would be read as its base and lose its
    fields, or where its JSON is another: that of a bool is no int, and that of a datetime is no date.
    """
    if found is wanted or (found is int and wanted is float):
        return True
    try:
        return issubclass(found, wanted) and not (has_fields(wanted) or (found, wanted) in _WRITTEN_OTHERWISE)
    except TypeError:
        return True
