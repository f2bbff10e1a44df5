"""
The format of pydantic types.

Pydantic is imported only for a type of pydantic. A type that holds a model in its arguments (``list[Model]``, ``Model |
None``, a discriminated union) is handled by pydantic as a whole, by pydantic's rules. A dataclass with a model in a
field is handled by msgspec, which asks pydantic for that field alone.
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
from .error_text import TypeMismatch, redact_values, type_name
from .pydantic_schema import classes, find_unreadable, has_asymmetric_alias, names

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

MOST_ERRORS: Final = 3
"""How many errors of a validation are reported; the rest are counted."""
MASK: Final = b'"**********"'
"""The JSON that pydantic writes for a secret."""

_FIELD: Final = re.compile(r"\[field_name='(\w+)'")
_NOT_JSON: Final = re.compile(rb"NaN|Infinity")


class PydanticFormat:
    """
    The format of a pydantic type.

    Raises:
        InvalidArgument: pydantic cannot make a schema of the type, or nothing could ever be read as it.
    """

    def __init__(self, kind: Any) -> None:
        from pydantic import TypeAdapter
        from pydantic.errors import PydanticUserError

        self._kind = kind
        try:
            self._adapter: TypeAdapter[Any] = TypeAdapter(kind)
            schema = dict(self._adapter.core_schema)  # raises if a name in an annotation is not defined yet
            problem = find_unreadable(schema)
        except (PydanticUserError, NameError) as error:
            reason = str(error).split("\n", 1)[0]
            raise InvalidArgument("type", f"{type_name(kind)} cannot be read from JSON: {reason}") from error
        if problem is not None:
            raise InvalidArgument("type", f"{type_name(kind)} cannot be read from JSON: {problem}")
        # Fields that are not read by the alias that they are written under are written and read by their names, from
        # pydantic 2.11 on; payloads that were written by alias are still read.
        by_name = has_asymmetric_alias(schema) and "by_name" in signature(self._adapter.validate_json).parameters
        self._by_alias = not by_name
        self.has_any_number: Final = True
        self.keys: Final = frozenset(names(schema))
        self.is_comparable: Final = all(map(compares_fields, classes(schema)))
        self._validate_options: dict[str, Any] = {"by_name": True, "by_alias": True} if by_name else {}

    def encode(self, value: object) -> bytes:
        """
        Return the value as JSON, under the names by which its fields are read, and without computed fields.

        Raises:
            TypeMismatch: it holds a value that its type does not declare, or that JSON cannot express.
        """
        from pydantic_core import PydanticSerializationError

        try:
            data = self._adapter.dump_json(value, by_alias=self._by_alias, round_trip=True, warnings="error")
        except PydanticSerializationError as error:
            raise TypeMismatch(self._describe_unwritable(value, error)) from None
        if _NOT_JSON.search(data):
            _check_syntax(data)
        return data

    def decode(self, data: bytes) -> Any:
        """
        Return the value of the JSON.

        Raises:
            TypeMismatch: it does not validate; the text has pydantic's messages, without values.
        """
        from pydantic import ValidationError

        try:
            return self._adapter.validate_json(data, **self._validate_options)
        except ValidationError as error:
            raise TypeMismatch(self._describe(error, data)) from None

    def advice(self, data: bytes) -> str:
        """Return advice for a value that is read back as another one."""
        if MASK in data:
            return "pydantic writes secrets as asterisks; give the field a serializer, or pass a key"
        return "see its alias, exclude, validators and serializers: what they write they must read again"

    def builtins(self, value: object) -> object:
        """Return the value in dicts and lists, with numbers as they are."""
        return self._adapter.dump_python(value, warnings=False)

    def _describe(self, error: ValidationError, data: bytes) -> str:
        found = error.errors(include_url=False, include_context=False, include_input=False)[:MOST_ERRORS]
        messages = redact_values("\n".join(item["msg"].split("\n", 1)[0] for item in found), data=data).split("\n")
        places = [_location(item["loc"], known=self.keys) for item in found]
        lines = [f"{place}: {text}" if place else text for place, text in zip_longest(places, messages, fillvalue="")]
        rest = error.error_count() - len(found)
        return "; ".join(lines) + (f" (and {rest} more)" if rest else "")

    def _describe_unwritable(self, value: object, error: Exception) -> str:
        text = str(error)
        if "Circular reference" in text or "depth exceeded" in text:
            return "nests too deep; flatten it"
        if "surrogates not allowed" in text:
            return "holds a lone surrogate, which is no text"
        field = _FIELD.search(text)
        if field is not None:
            return f"{field[1]}: is not of the type that it declares"
        if "UnexpectedValue" in text:
            return f"is {type(value).__name__}, or holds what {type_name(self._kind)} does not declare"
        return "a serializer failed"


class NestedModels:
    """The formats of pydantic models inside a type that msgspec handles, for msgspec's hooks."""

    def __init__(self, kinds: frozenset[type]) -> None:
        self._formats: Mapping[type, PydanticFormat] = {kind: PydanticFormat(kind) for kind in kinds}

    def __iter__(self) -> Iterator[PydanticFormat]:
        return iter(self._formats.values())

    def write(self, value: object) -> msgspec.Raw:
        """Return the JSON that msgspec writes for a model."""
        for kind, format in self._formats.items():
            if isinstance(value, kind):
                return msgspec.Raw(format.encode(value))
        raise NotImplementedError(f"Encoding objects of type {type(value).__name__} is unsupported")

    def read(self, kind: type, value: object) -> object:
        """Return a model from plain JSON."""
        return self._formats[kind].decode(msgspec.json.encode(value))


def _check_syntax(data: bytes) -> None:
    try:
        msgspec.json.decode(data)
    except msgspec.DecodeError:
        raise TypeMismatch("holds NaN or infinity, which JSON cannot express; send None or text") from None


def _location(steps: tuple[str | int, ...], *, known: frozenset[str]) -> str:
    """Return the path of an error in names of the schema; keys of the payload are not shown."""
    return ".".join(str(step) if isinstance(step, int) or step in known else "…" for step in steps)
