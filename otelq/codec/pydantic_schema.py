"""Inspects a pydantic schema: whether JSON can be read by it, and under the names by which it is written."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, cast

from .error_text import type_name

_NEVER_READABLE: Final = frozenset({"callable", "is-instance", "is-subclass"})
"""Parts of a schema that no JSON fits."""
_MAYBE_READABLE: Final = frozenset({"default", "nullable", "function-before", "function-plain", "function-wrap"})
"""Parts that may be readable although their inside is not: by a default, by null, or by code of the application."""
_FIELDS: Final = frozenset({"model-field", "typed-dict-field", "dataclass-field"})
_NOT_READ: Final = frozenset({"python_schema", "strict_schema", "serialization", "metadata", "cls", "config"})
"""Keys of a schema that have no part in reading JSON."""


def names(schema: object) -> Iterator[str]:
    """Yield every text in a schema: also the names and aliases of fields, and the labels of unions."""
    for part in _parts(schema):
        if isinstance(part, str):
            yield part


def classes(schema: object) -> Iterator[type]:
    """Yield the classes in a schema that have fields: models and dataclasses."""
    for part in _parts(schema):
        if isinstance(part, dict) and cast(dict[str, Any], part).get("type") in ("model", "dataclass"):
            yield cast(dict[str, Any], part)["cls"]


def find_unreadable(schema: object) -> str | None:
    """Return a sentence on the first part of a schema that cannot be read back; None if there is none."""
    if isinstance(schema, (list, tuple)):
        return _find_first_unreadable(cast(list[object], schema))
    if not isinstance(schema, dict):
        return None
    part = cast(dict[str, Any], schema)
    kind = str(part.get("type"))
    if kind == "ordered-dict" or _makes_ordered(part):
        return "OrderedDict has an order, which PostgreSQL does not keep; use a list of pairs"
    if kind in _MAYBE_READABLE or _has_own_serializer(part):
        return None
    if kind in _NEVER_READABLE:
        return f"nothing fits {type_name(part['cls'])}, of which pydantic knows no fields" if "cls" in part else NO_CALL
    if kind == "function-after" and _is_secret(part["function"].get("function")):
        return f"{type_name(part['function']['function'])} is written as asterisks; give the field a serializer"
    if kind == "union":
        problems = [find_unreadable(choice) for choice in part["choices"]]
        return problems[0] if all(problems) else None  # one readable choice is enough
    return _find_excluded(part) or _find_first_unreadable(value for key, value in part.items() if key not in _NOT_READ)


def _makes_ordered(part: Mapping[str, Any]) -> bool:
    """Return whether a part is an OrderedDict as pydantic before 2.14 describes it: by a call, with a serializer."""
    lax = part.get("lax_schema")
    return isinstance(lax, dict) and cast(dict[str, Any], lax).get("function", {}).get("function") is OrderedDict


NO_CALL: Final = "nothing fits a function"


def has_asymmetric_alias(schema: object) -> bool:
    """Return whether a field is written under an alias by which it is not read."""
    return _has_asymmetric_alias(schema, config={})


def _has_asymmetric_alias(schema: object, *, config: Mapping[str, Any]) -> bool:
    if isinstance(schema, (list, tuple)):
        return any(_has_asymmetric_alias(part, config=config) for part in cast(list[object], schema))
    if not isinstance(schema, dict):
        return False
    part = cast(dict[str, Any], schema)
    config = part.get("config") or config
    if any(_is_asymmetric(name, field, config=config) for name, field in _fields(part)):
        return True
    return any(_has_asymmetric_alias(value, config=config) for key, value in part.items() if key not in _NOT_READ)


def _fields(part: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the fields of a model, a TypedDict or a dataclass with their names; a dataclass has them in a list."""
    fields: object = part.get("fields")
    for key, field in _pairs(fields):
        if isinstance(field, dict) and cast(dict[str, object], field).get("type") in _FIELDS:
            found = cast(dict[str, Any], field)
            yield found.get("name", key), found


def _pairs(fields: object) -> Iterable[tuple[str, object]]:
    if isinstance(fields, dict):
        return cast(dict[str, object], fields).items()
    return [("", field) for field in cast(list[object], fields)] if isinstance(fields, list) else []


def _is_asymmetric(name: str, field: Mapping[str, Any], *, config: Mapping[str, Any]) -> bool:
    written = field.get("serialization_alias", name)
    return written not in _read_keys(name, field.get("validation_alias"), config=config)


def _read_keys(name: str, alias: Any, *, config: Mapping[str, Any]) -> set[str]:
    """Return the plain keys by which a field is read; an ``AliasPath`` of several steps is none."""
    if alias is None:
        return {name}
    by_name = config.get("populate_by_name") or config.get("validate_by_name")
    found = {name} if by_name else set[str]()
    if config.get("validate_by_alias") is False:
        return found
    choices = [[alias]] if isinstance(alias, str) else alias if isinstance(alias[0], list) else [alias]
    return found | {path[0] for path in choices if len(path) == 1}


def _find_excluded(part: Mapping[str, Any]) -> str | None:
    """Return a sentence on a field that is not written although reading needs it; None if there is none."""
    for name, field in _fields(part):
        left_out = field.get("serialization_exclude") is True and "serialization" not in field
        if left_out and field.get("required", True) and field["schema"].get("type") != "default":
            return f"the field {name} is excluded from what is written, and has no default"
    return None


def _find_first_unreadable(parts: Iterable[object]) -> str | None:
    return next((problem for part in parts if (problem := find_unreadable(part)) is not None), None)


def _has_own_serializer(part: Mapping[str, Any]) -> bool:
    """Return whether a serializer of the application writes this part."""
    serialization: dict[str, object] = part.get("serialization") or {}
    function = serialization.get("function")
    return function is not None and not str(getattr(function, "__module__", "")).startswith("pydantic.")


def _is_secret(function: object) -> bool:
    from pydantic import SecretBytes, SecretStr

    return isinstance(function, type) and issubclass(function, (SecretStr, SecretBytes))


def _parts(schema: object) -> Iterator[object]:
    waiting: list[object] = [schema]
    while waiting:
        part = waiting.pop()
        yield part
        if isinstance(part, dict):
            waiting.extend(value for key, value in cast(dict[str, object], part).items() if key not in _NOT_READ)
            waiting.extend(cast(dict[str, object], part))
        elif isinstance(part, (list, tuple)):
            waiting.extend(cast(list[object], part))
