"""Questions about a schema of pydantic's: can JSON be read by it, and is it read as it was written?"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, cast

from .error_text import name_of

_NEVER: Final = frozenset({"callable", "is-instance", "is-subclass"})
"""Parts of a schema that no JSON fits."""
_OWN_WAY: Final = frozenset({"default", "nullable", "function-before", "function-plain", "function-wrap"})
"""Parts that may be read although what is inside cannot: there is another way, or code of the user's."""
_FIELDS: Final = frozenset({"model-field", "typed-dict-field", "dataclass-field"})
_BESIDE: Final = frozenset({"python_schema", "strict_schema", "serialization", "metadata", "cls", "config"})
"""What a schema holds that has no part in reading JSON."""


def names(schema: object) -> Iterator[str]:
    """Yield every text in a schema: among them the names and aliases of fields, and the labels of unions."""
    for part in _parts(schema):
        if isinstance(part, str):
            yield part


def classes(schema: object) -> Iterator[type]:
    """Yield the classes in a schema that have fields: models and dataclasses."""
    for part in _parts(schema):
        if isinstance(part, dict) and cast(dict[str, Any], part).get("type") in ("model", "dataclass"):
            yield cast(dict[str, Any], part)["cls"]


def unreadable(schema: object) -> str | None:
    """Return the first part of a schema as which nothing that it writes can be read, in words."""
    if isinstance(schema, (list, tuple)):
        return _first_unreadable(cast(list[object], schema))
    if not isinstance(schema, dict):
        return None
    part = cast(dict[str, Any], schema)
    kind = str(part.get("type"))
    if kind == "ordered-dict" or _makes_ordered(part):
        return "OrderedDict has an order, which PostgreSQL does not keep; use a list of pairs"
    if kind in _OWN_WAY or _writes_own_way(part):
        return None
    if kind in _NEVER:
        return f"nothing fits {name_of(part['cls'])}, of which pydantic knows no fields" if "cls" in part else NO_CALL
    if kind == "function-after" and _is_secret(part["function"].get("function")):
        return f"{name_of(part['function']['function'])} is written as asterisks; give the field a serializer"
    if kind == "union":
        stuck = [unreadable(choice) for choice in part["choices"]]
        return stuck[0] if all(stuck) else None
    return _unwritten(part) or _first_unreadable(value for key, value in part.items() if key not in _BESIDE)


def _makes_ordered(part: Mapping[str, Any]) -> bool:
    """Return whether a part is an OrderedDict as pydantic before 2.14 describes it: by a call, with a serializer."""
    lax = part.get("lax_schema")
    return isinstance(lax, dict) and cast(dict[str, Any], lax).get("function", {}).get("function") is OrderedDict


NO_CALL: Final = "nothing fits a function"


def misnamed(schema: object) -> bool:
    """Return whether some field is written under an alias under which it is not read."""
    return _misnamed(schema, config={})


def _misnamed(schema: object, *, config: Mapping[str, Any]) -> bool:
    if isinstance(schema, (list, tuple)):
        return any(_misnamed(part, config=config) for part in cast(list[object], schema))
    if not isinstance(schema, dict):
        return False
    part = cast(dict[str, Any], schema)
    config = part.get("config") or config
    if any(_is_misnamed(name, field, config=config) for name, field in _fields(part)):
        return True
    return any(_misnamed(value, config=config) for key, value in part.items() if key not in _BESIDE)


def _fields(part: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the fields of a model, a TypedDict or a dataclass with their names; of the last they are in a list."""
    fields: object = part.get("fields")
    for key, field in _pairs(fields):
        if isinstance(field, dict) and cast(dict[str, object], field).get("type") in _FIELDS:
            found = cast(dict[str, Any], field)
            yield found.get("name", key), found


def _pairs(fields: object) -> Iterable[tuple[str, object]]:
    if isinstance(fields, dict):
        return cast(dict[str, object], fields).items()
    return [("", field) for field in cast(list[object], fields)] if isinstance(fields, list) else []


def _is_misnamed(name: str, field: Mapping[str, Any], *, config: Mapping[str, Any]) -> bool:
    written = field.get("serialization_alias", name)
    return written not in _read_by(name, field.get("validation_alias"), config=config)


def _read_by(name: str, alias: Any, *, config: Mapping[str, Any]) -> set[str]:
    """The plain keys under which a field is looked for; the path of an ``AliasPath`` into something is none."""
    if alias is None:
        return {name}
    by_name = config.get("populate_by_name") or config.get("validate_by_name")
    found = {name} if by_name else set[str]()
    if config.get("validate_by_alias") is False:
        return found
    choices = [[alias]] if isinstance(alias, str) else alias if isinstance(alias[0], list) else [alias]
    return found | {path[0] for path in choices if len(path) == 1}


def _unwritten(part: Mapping[str, Any]) -> str | None:
    """A field that is left out of what is written although reading needs it."""
    for name, field in _fields(part):
        left_out = field.get("serialization_exclude") is True and "serialization" not in field
        if left_out and field.get("required", True) and field["schema"].get("type") != "default":
            return f"the field {name} is excluded from what is written, and has no default"
    return None


def _first_unreadable(parts: Iterable[object]) -> str | None:
    return next((stuck for part in parts if (stuck := unreadable(part)) is not None), None)


def _writes_own_way(part: Mapping[str, Any]) -> bool:
    """Whether a serializer of the user's writes this part."""
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
            waiting.extend(value for key, value in cast(dict[str, object], part).items() if key not in _BESIDE)
            waiting.extend(cast(dict[str, object], part))
        elif isinstance(part, (list, tuple)):
            waiting.extend(cast(list[object], part))
