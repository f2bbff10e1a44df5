"""Encodes and decodes the payloads of one type."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar, get_args

from ..errors import InvalidArgument, UndecodablePayload
from ..texts import storable
from .checks import MAX_DEPTH, MAX_PAYLOAD, SURROGATE, check_json, check_size, refuse_non_finite
from .comparison import Comparison, is_equal, is_reordered
from .error_text import LONGEST, TypeMismatch, describe, type_name
from .fields import is_abstract
from .msgspec_format import MsgspecFormat
from .numbers import expand_exponents
from .pydantic_classes import is_model, is_model_dataclass
from .pydantic_format import PydanticFormat


class _Format(Protocol):
    """The JSON format of one type."""

    @property
    def decode(self) -> Callable[[bytes], Any]: ...
    @property
    def is_comparable(self) -> bool:
        """Return whether ``==`` of every class in the type looks at all fields."""
        ...

    @property
    def has_any_number(self) -> bool:
        """Return whether a number can be read both as an int and as a float."""
        ...

    @property
    def keys(self) -> frozenset[str]:
        """Return the keys of mappings that the type declares."""
        ...

    def encode(self, value: object) -> bytes: ...
    def builtins(self, value: object) -> object: ...
    def advice(self, data: bytes) -> str: ...


class Payload:
    """
    Encodes and decodes the values of one type.

    Creating one builds a decoder, which is slow; keep it.

    Raises:
        InvalidArgument: the type is not one that can be read back from JSON.
    """

    __slots__ = ("_format", "_is_abstract", "type")

    def __init__(self, type: Any) -> None:
        self.type = type
        self._format = _format(type)
        self._is_abstract = is_abstract(type)

    def encode(self, value: object, *, argument: str = "input", limit: int | None = MAX_PAYLOAD) -> str:
        """
        Return the JSON text of ``value``, which every database can hold in ``limit`` bytes (None: no limit).

        It is read back as a handler will read it. A value that would be read back as another one is refused.

        Raises:
            InvalidArgument: it does not fit; the message names ``argument``, what is wrong and what to do.
        """
        data = self._encode_checked(value, argument, limit)
        try:
            got = self._format.decode(data)
        except Exception as error:
            self._refuse_non_finite(value, data, argument)
            words = describe(error, data=data)
            raise InvalidArgument(argument, f"does not fit {type_name(self.type)}: {words}") from None
        # Most types have an `==` that can be trusted. The slow comparison is for others, and to name the difference.
        if not (got is value or (self._format.is_comparable and is_equal(value, got))):
            self._refuse_changed(value, got, data=data, argument=argument)
        return data.decode()

    def encode_match(self, value: object, *, argument: str) -> str:
        """
        Return the JSON text by which ``value`` is found in payloads. It need not be readable as the type.

        Raises:
            InvalidArgument: no payload can hold it.
        """
        data = self._encode_checked(value, argument, None)
        self._refuse_non_finite(value, data, argument)
        return data.decode()

    def decode(self, text: str) -> Any:
        """
        Return the value of a JSON text.

        Raises:
            UndecodablePayload: the text does not fit the type. Neither the message nor a cause repeats the text.
        """
        try:
            data = text.encode()
        except UnicodeEncodeError:
            raise UndecodablePayload(f"does not fit {type_name(self.type)}: {SURROGATE}") from None
        try:
            return self._format.decode(data)
        except Exception as error:
            words = describe(error, data=data)
            # `from None`: the cause would quote the payload, and a failure is stored and logged with its causes.
            raise UndecodablePayload(f"does not fit {type_name(self.type)}: {words}") from None

    def _encode_checked(self, value: object, argument: str, limit: int | None) -> bytes:
        """Return the value as JSON that every database can hold."""
        data = self._encode(value, argument)
        check_json(data, argument=argument, limit=limit)
        if not self._format.has_any_number:
            return data
        data = expand_exponents(data, longest=limit)
        check_size(data, argument=argument, limit=limit)
        return data

    def _refuse_changed(self, value: object, got: object, *, data: bytes, argument: str) -> None:
        """Refuse a value that was read back as another one."""
        compared = Comparison(keys=self._format.keys, abstract=self._is_abstract)
        try:
            same = compared.same(value, got)
        except RecursionError:
            raise InvalidArgument(argument, "nests too deep to be compared; flatten it") from None
        if same:
            if not compared.opaque or is_reordered(self._format.encode(got), data):
                return
            compared.problem = "comes back as something that is written in another way"
        self._refuse_non_finite(value, data, argument)
        place = f"{storable(compared.path, longest=LONGEST)} " if compared.path else ""
        raise InvalidArgument(argument, f"{place}{compared.problem}; {self._format.advice(data)}")

    def _refuse_non_finite(self, value: object, data: bytes, argument: str) -> None:
        """Refuse NaN or infinity, if that is the reason why a value is not read back."""
        if value is None or b"null" not in data:
            return
        try:
            plain = self._format.builtins(value)
        except Exception:  # a serializer of the application failed: the caller reports that instead
            return
        refuse_non_finite(plain, argument=argument)

    def _encode(self, value: object, argument: str) -> bytes:
        try:
            return self._format.encode(value)
        except RecursionError:
            raise InvalidArgument(argument, f"nests deeper than {MAX_DEPTH} levels; flatten it") from None
        except UnicodeEncodeError:
            raise InvalidArgument(argument, SURROGATE) from None
        except TypeMismatch as error:
            raise InvalidArgument(argument, f"does not fit {type_name(self.type)}: {error}") from None
        except Exception as error:
            text = storable(str(error).split("\n", 1)[0], longest=LONGEST)
            raise InvalidArgument(argument, f"cannot be written as JSON: {text}") from error


def _format(kind: Any) -> _Format:
    parts = [*_parts(kind)]
    for part in parts:
        if isinstance(part, TypeVar):
            raise InvalidArgument("type", f"{type_name(kind)} holds the type variable {part}; give a type in its place")
    if any(is_model(part) or is_model_dataclass(part) for part in parts):
        return PydanticFormat(kind)
    return MsgspecFormat(kind)


def _parts(kind: object) -> Iterator[object]:
    """Yield the type and the types that are its arguments, at all depths."""
    waiting = [kind]
    while waiting:
        part = waiting.pop()
        if type(part).__name__ == "TypeAliasType":  # ``type X = …`` of Python 3.12
            part = getattr(part, "__value__")  # noqa: B009  # unknown to the types of Python 3.11
        yield part
        waiting.extend(get_args(part))
