"""
Pydantic types to JSON and back.

Pydantic is imported here only after somebody's own type has shown that it is there. A type that holds a model in its
arguments (``list[Model]``, ``Model | None``, a discriminated union) is pydantic's as a whole, by pydantic's rules; a
dataclass with a model in a field stays msgspec's, which asks here for that field alone.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeGuard, cast

import msgspec

from ..errors import InvalidArgument
from .words import Misfit, name_of, without_values

if TYPE_CHECKING:
    from pydantic import BaseModel, TypeAdapter, ValidationError

MOST_ERRORS: Final = 3
"""How many of a validation's errors are told; the rest are counted."""
MASK: Final = b'"**********"'
"""What pydantic writes in place of a secret."""

_FIELD: Final = re.compile(r"\[field_name='(\w+)'")
_NOT_JSON: Final = re.compile(rb"NaN|Infinity")
_NEVER: Final = frozenset({"callable", "is-instance", "is-subclass"})
"""Parts of a schema that no JSON fits."""
_OWN_WAY: Final = frozenset({"default", "nullable", "function-before", "function-plain", "function-wrap"})
"""Parts that may be read although what is inside cannot: there is another way, or code of the user's."""
_BESIDE: Final = frozenset({"python_schema", "strict_schema", "serialization", "metadata", "cls", "config"})
"""What a schema holds that has no part in reading JSON."""


class ModelFormat:
    """
    How values of a pydantic type are written and read.

    Raises:
        InvalidArgument: pydantic cannot make a schema of the type, or nothing could ever be read as it.
    """

    __slots__ = ("_adapter", "_kind")

    def __init__(self, kind: Any) -> None:
        from pydantic import TypeAdapter
        from pydantic.errors import PydanticUserError

        self._kind = kind
        try:
            adapter: TypeAdapter[Any] = TypeAdapter(kind)
            stuck = _unreadable(dict(adapter.core_schema))  # which fails where a name is not defined yet
        except (PydanticUserError, NameError) as error:
            reason = str(error).split("\n", 1)[0]
            raise InvalidArgument("type", f"{name_of(kind)} cannot be read from JSON: {reason}") from error
        if stuck is not None:
            raise InvalidArgument("type", f"{name_of(kind)} cannot be read from JSON: nothing fits {stuck}")
        self._adapter = adapter

    def encode(self, value: object) -> bytes:
        """
        The value as JSON, under the names that its fields are read by.

        Raises:
            Misfit: it holds what its type does not declare, or what would not come back.
        """
        from pydantic_core import PydanticSerializationError

        try:
            data = self._adapter.dump_json(value, by_alias=True, warnings="error")
        except PydanticSerializationError as error:
            raise Misfit(self._unwritable(value, error)) from None
        if MASK in data and self.decode(data) != value:
            raise Misfit("holds a secret that pydantic writes as asterisks; give the field a serializer, or pass a key")
        if _NOT_JSON.search(data):
            _check_syntax(data)
        return data

    def decode(self, data: bytes) -> Any:
        """
        The value that the JSON stands for.

        Raises:
            Misfit: it does not validate; the text holds pydantic's words, and no values.
        """
        from pydantic import ValidationError

        try:
            return self._adapter.validate_json(data)
        except ValidationError as error:
            raise Misfit(self._words(error, data)) from None

    def builtins(self, value: object) -> object:
        """The value in dicts and lists, with numbers as they are."""
        return self._adapter.dump_python(value, warnings=False)

    def _words(self, error: ValidationError, data: bytes) -> str:
        known = frozenset(_names(self._adapter.core_schema))
        told = [_word(item, known=known, data=data) for item in error.errors(include_url=False)[:MOST_ERRORS]]
        rest = error.error_count() - len(told)
        return "; ".join(told) + (f" (and {rest} more)" if rest else "")

    def _unwritable(self, value: object, error: Exception) -> str:
        text = str(error)
        if "Circular reference" in text or "depth exceeded" in text:
            return "nests too deep; flatten it"
        if "surrogates not allowed" in text:
            return "holds a lone surrogate, which is no text"
        field = _FIELD.search(text)
        if field is not None:
            return f"{field[1]}: is not of the type that it declares"
        if "UnexpectedValue" in text:
            return f"is {type(value).__name__}, or holds what {name_of(self._kind)} does not declare"
        return "a serializer failed"


def is_model(kind: object) -> TypeGuard[type[BaseModel]]:
    """Whether this is a pydantic model, a class like ``BaseModel`` or ``RootModel``, with its arguments or without."""
    module = sys.modules.get("pydantic")
    return module is not None and isinstance(kind, type) and issubclass(kind, module.BaseModel)


def is_model_dataclass(kind: object) -> bool:
    """Whether this is a dataclass made by pydantic's decorator, which validates; msgspec would pass it by."""
    return "pydantic" in sys.modules and isinstance(kind, type) and "__pydantic_validator__" in vars(kind)


class Models:
    """The models inside types of msgspec's, by hooks that msgspec calls for each."""

    def __init__(self, kinds: frozenset[type]) -> None:
        self._formats: Mapping[type, ModelFormat] = {kind: ModelFormat(kind) for kind in kinds}

    def write(self, value: object) -> msgspec.Raw:
        """What msgspec writes in place of a model."""
        for kind, format in self._formats.items():
            if isinstance(value, kind):
                return msgspec.Raw(format.encode(value))
        raise NotImplementedError(f"Encoding objects of type {type(value).__name__} is unsupported")

    def read(self, kind: type, value: object) -> object:
        """The model that msgspec found as plain JSON."""
        return self._formats[kind].decode(msgspec.json.encode(value))


def _check_syntax(data: bytes) -> None:
    try:
        msgspec.json.decode(data)
    except msgspec.DecodeError:
        raise Misfit("holds NaN or infinity, which JSON cannot express; send None or text") from None


def _word(item: Mapping[str, Any], *, known: frozenset[str], data: bytes) -> str:
    """One error: where, by names that the schema knows and not by keys of the payload, and pydantic's message."""
    where = ".".join(str(part) if isinstance(part, int) or part in known else "…" for part in item["loc"])
    text = without_values(item["msg"].split("\n", 1)[0], data=data)
    return f"{where}: {text}" if where else text


def _names(schema: object) -> Iterator[str]:
    """Every text in a schema: among them the names and aliases of fields, and the labels of unions."""
    waiting: list[object] = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, dict):
            waiting.extend(value for key, value in cast(dict[str, object], part).items() if key not in _BESIDE)
            waiting.extend(cast(dict[str, object], part))
        elif isinstance(part, (list, tuple)):
            waiting.extend(cast(list[object], part))


def _unreadable(schema: object) -> str | None:
    """The first part of a schema that no JSON fits, in words; None if there is none."""
    if isinstance(schema, (list, tuple)):
        return _first_unreadable(cast(list[object], schema))
    if not isinstance(schema, dict):
        return None
    part = cast(dict[str, Any], schema)
    kind = str(part.get("type"))
    if kind in _OWN_WAY:
        return None
    if kind in _NEVER:
        return f"{name_of(part['cls'])}, of which pydantic knows no fields" if "cls" in part else "a function"
    if kind == "union":
        stuck = [_unreadable(choice) for choice in part["choices"]]
        return stuck[0] if all(stuck) else None
    return _first_unreadable(value for key, value in part.items() if key not in _BESIDE)


def _first_unreadable(parts: Iterable[object]) -> str | None:
    return next((stuck for part in parts if (stuck := _unreadable(part)) is not None), None)
