"""Compares a value with the one that was read back, field by field, whatever its own ``==`` looks at."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from types import NoneType
from typing import Any, Final

from .error_text import type_name
from .fields import MISSING, ClassFields, fields_of
from .plain_values import plain_value
from .pydantic_classes import is_model

_ATOMS: Final = frozenset({NoneType, bool, int, float, str, bytes})


class Comparison:
    """
    Walks through a value and the one that was read back, up to the first difference.

    A datetime is the same if it is the same instant, and a value of a subclass of a built-in type if its base value
    is. A tuple passes for a list only under an annotation that promises neither, such as ``Sequence[int]``. Private
    attributes of a pydantic model are no part of its value.

    Args:
        keys: the keys of mappings that messages may show, since a type declares them.
        abstract: an abstract collection is declared for the outermost value.
    """

    __slots__ = ("_abstract", "_keys", "_steps", "opaque", "problem")

    def __init__(self, *, keys: Collection[str] = (), abstract: bool = False) -> None:
        self._keys = keys
        self._abstract = abstract
        self._steps: list[str] = []
        self.opaque = False
        """Something could not be compared: its ``==`` means identity, or raises."""
        self.problem = ""

    @property
    def path(self) -> str:
        """Return the path of the difference; empty if it is the whole value."""
        return "".join(reversed(self._steps)).removeprefix(".")

    def same(self, given: Any, got: Any) -> bool:
        """Return whether the two are the same value; else ``path`` and ``problem`` say what differs."""
        if given is got:
            return True
        kind = _class_of(got)
        if kind in _ATOMS:
            return _same_atom(given, got) or self._differs(given, got)
        shape = fields_of(kind)
        if shape is not None:
            return self._same_object(given, got, shape=shape)
        if issubclass(kind, Mapping):
            return self._same_mapping(given, got)
        if issubclass(kind, (list, tuple, deque)):
            return self._same_items(given, got)
        if issubclass(kind, (set, frozenset)):
            return self._same_members(given, got) or self._differs(given, got)
        if issubclass(kind, datetime) and _is_a(given, datetime):
            return _same_instant(given, got) or self._differs(given, got)
        return self._same_leaf(given, got) or self._differs(given, got)

    def _same_object(self, given: Any, got: Any, *, shape: ClassFields) -> bool:
        abstract = self._abstract
        if _origin(given) is not _origin(got):
            return self._differs(given, got)
        for name, one, other in zip(shape.names, shape.values(given), shape.values(got), strict=True):
            if one is other or (type(one) is type(other) in _ATOMS and one == other):
                continue  # most values are such: they cost no call
            self._abstract = name in shape.abstract
            if not self.same(one, other):
                self._steps.append(f".{name}")
                return False
        self._abstract = abstract
        return not shape.is_model or self.same(given.__pydantic_extra__, got.__pydantic_extra__)

    def _same_mapping(self, given: Any, got: Mapping[object, object]) -> bool:
        if not _is_a(given, Mapping):
            return self._differs(given, got)
        found = given if given.keys() == got.keys() else {plain_value(key): value for key, value in given.items()}
        if len(given) != len(got) or found.keys() != got.keys():
            return self._differs(given, got, "has keys that would be lost or come back as others")
        for key, value in got.items():
            if not self.same(found[key], value):
                self._steps.append(f".{key}" if isinstance(key, str) and key in self._keys else "[…]")
                return False
        return True

    def _same_items(self, given: Any, got: Sequence[object]) -> bool:
        base = (list, tuple, deque) if self._abstract else tuple if isinstance(got, tuple) else _class_of(got)
        if not _is_a(given, base) or len(given) != len(got):
            return self._differs(given, got)
        for n, (one, other) in enumerate(zip(given, got, strict=True)):
            if one is other or (type(one) is type(other) in _ATOMS and one == other):
                continue
            if not self.same(one, other):
                self._steps.append(f"[{n}]")
                return False
        return True

    def _same_members(self, given: Any, got: AbstractSet[object]) -> bool:
        if not _is_a(given, Collection if self._abstract else AbstractSet):
            return False
        # Members that compare by identity are never found again; the caller compares the JSON instead.
        if any(_compares_identity(type(member)) for member in got):
            self.opaque = True
            return True
        return len(given) == len(got) and got == {*given}

    def _same_leaf(self, given: Any, got: Any) -> bool:
        if _compares_identity(type(got)):
            self.opaque = True
            return type(given) is type(got)
        try:
            return bool(given == got) or bool(given != given and got != got)
        except Exception:  # somebody's own comparison may raise whatever it likes
            self.opaque = True
            return True

    def _differs(self, given: object, got: object, problem: str = "") -> bool:
        """Return False, and store the reason in words that show no value."""
        before, after = type(given), type(got)
        if problem:
            self.problem = problem
        elif before is after or given is MISSING or got is MISSING:
            self.problem = "would come back as another value"
        else:
            self.problem = f"is {type_name(before)} and would come back as {type_name(after)}"
        return False


def is_equal(given: Any, got: Any) -> bool:
    """Return whether the values are equal by ``==``; False if it raises."""
    try:
        return bool(given == got)
    except Exception:  # somebody's own comparison may raise whatever it likes
        return False


def is_reordered(one: bytes, other: bytes) -> bool:
    """Return whether two JSON texts differ only in the order of their parts, which a set does not keep."""
    return one == other or sorted(one) == sorted(other)


def _is_a(value: object, kinds: type | tuple[type, ...]) -> bool:
    return isinstance(value, kinds)


def _class_of(value: object) -> type:
    return type(value)


def _origin(value: object) -> type:
    """Return the class, or the generic one that it was made from: ``Box[int]`` and ``Box`` have the same values."""
    kind = type(value)
    return (kind.__pydantic_generic_metadata__["origin"] or kind) if is_model(kind) else kind


def _compares_identity(kind: Any) -> bool:
    return kind.__eq__ is object.__eq__


def _same_atom(given: Any, got: Any) -> bool:
    plain = plain_value(given)
    if isinstance(plain, bool) is not isinstance(got, bool):  # `True == 1`, but they are different JSON
        return False
    return bool(plain == got) or (plain != plain and got != got)  # NaN equals nothing, itself included


def _same_instant(given: datetime, got: datetime) -> bool:
    """Compare instants; ``==`` is always false between zones in the hour that comes twice (PEP 495)."""
    if given == got:
        return True
    if type(given).__eq__ is not datetime.__eq__ or given.utcoffset() is None or got.utcoffset() is None:
        return False
    return given.astimezone(UTC) == got.astimezone(UTC)
