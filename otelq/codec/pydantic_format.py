"""
Pydantic types to JSON and back.

Pydantic is imported here only after somebody's own type has shown that it is there. A type that holds a model in its
arguments (``list[Model]``, ``Model | None``, a discriminated union) is pydantic's as a whole, by pydantic's rules; a
dataclass with a model in a field stays msgspec's, which asks here for that field alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from inspect import signature
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ..errors import InvalidArgument
from .equality import compares_fields
from .error_text import TypeMismatch, name_of, without_values
from .pydantic_schema import classes, misnamed, names, unreadable

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

MOST_ERRORS: Final = 3
"""How many of a validation's errors are told; the rest are counted."""
MASK: Final = b'"**********"'
"""How pydantic writes a secret."""

_FIELD: Final = re.compile(r"\[field_name='(\w+)'")
_NOT_JSON: Final = re.compile(rb"NaN|Infinity")


class PydanticFormat:
    """
    How values of a pydantic type are written and read.

    Raises:
        InvalidArgument: pydantic cannot make a schema of the type, or nothing could ever be read as it.
    """

    def __init__(self, kind: Any) -> None:
        from pydantic import TypeAdapter
        from pydantic.errors import PydanticUserError

        self._kind = kind
        try:
            self._adapter: TypeAdapter[Any] = TypeAdapter(kind)
            schema = dict(self._adapter.core_schema)  # which fails where a name is not defined yet
            stuck = unreadable(schema)
        except (PydanticUserError, NameError) as error:
            reason = str(error).split("\n", 1)[0]
            raise InvalidArgument("type", f"{name_of(kind)} cannot be read from JSON: {reason}") from error
        if stuck is not None:
            raise InvalidArgument("type", f"{name_of(kind)} cannot be read from JSON: {stuck}")
        # Fields that are not read by the alias that they are written under are written and read by their names, from
        # pydantic 2.11 on; payloads that were written by alias are still read.
        by_name = misnamed(schema) and "by_name" in signature(self._adapter.validate_json).parameters
        self._by_alias = not by_name
        self.has_any_number: Final = True
        self.keys: Final = frozenset(names(schema))
        self.is_comparable: Final = all(map(compares_fields, classes(schema)))
        self._reading: dict[str, Any] = {"by_name": True, "by_alias": True} if by_name else {}

    def encode(self, value: object) -> bytes:
        """
        Return the value as JSON, under the names that its fields are read by, and without what is computed from them.

        Raises:
            Misfit: it holds what its type does not declare, or what JSON cannot express.
        """
        from pydantic_core import PydanticSerializationError

        try:
            data = self._adapter.dump_json(value, by_alias=self._by_alias, round_trip=True, warnings="error")
        except PydanticSerializationError as error:
            raise TypeMismatch(self._unwritable(value, error)) from None
        if _NOT_JSON.search(data):
            _check_syntax(data)
        return data

    def decode(self, data: bytes) -> Any:
        """
        Return the value that the JSON stands for.

        Raises:
            Misfit: it does not validate; the text holds pydantic's words, and no values.
        """
        from pydantic import ValidationError

        try:
            return self._adapter.validate_json(data, **self._reading)
        except ValidationError as error:
            raise TypeMismatch(self._words(error, data)) from None

    def hint(self, data: bytes) -> str:
        """Return what to look at where a value comes back changed."""
        if MASK in data:
            return "pydantic writes secrets as asterisks; give the field a serializer, or pass a key"
        return "see its alias, exclude, validators and serializers: what they write they must read again"

    def builtins(self, value: object) -> object:
        """The value in dicts and lists, with numbers as they are."""
        return self._adapter.dump_python(value, warnings=False)

    def _words(self, error: ValidationError, data: bytes) -> str:
        found = error.errors(include_url=False, include_context=False, include_input=False)[:MOST_ERRORS]
        messages = without_values("\n".join(item["msg"].split("\n", 1)[0] for item in found), data=data).split("\n")
        places = [_place(item["loc"], known=self.keys) for item in found]
        told = [f"{place}: {text}" if place else text for place, text in zip_longest(places, messages, fillvalue="")]
        rest = error.error_count() - len(found)
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


class NestedModels:
    """The models inside types of msgspec's, by hooks that msgspec calls for each."""

    def __init__(self, kinds: frozenset[type]) -> None:
        self._formats: Mapping[type, PydanticFormat] = {kind: PydanticFormat(kind) for kind in kinds}

    def __iter__(self) -> Iterator[PydanticFormat]:
        return iter(self._formats.values())

    def write(self, value: object) -> msgspec.Raw:
        """Return what msgspec writes in place of a model."""
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
        raise TypeMismatch("holds NaN or infinity, which JSON cannot express; send None or text") from None


def _place(steps: tuple[str | int, ...], *, known: frozenset[str]) -> str:
    """Where an error is, by names that the schema knows and not by keys of the payload."""
    return ".".join(str(step) if isinstance(step, int) or step in known else "…" for step in steps)
