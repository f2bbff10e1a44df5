"""Payloads: what comes back is what was given, and what no database could hold is refused at the border."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, TypedDict
from uuid import UUID

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otelq.codec import MAX_DEPTH, Payload, check_json, check_text
from otelq.errors import InvalidArgument, UndecodablePayload
from otelq.texts import storable


class Colour(Enum):
    RED = "red"


@dataclass
class Line:
    article: str
    pieces: int = 1


@dataclass
class Order:
    id: UUID
    lines: list[Line] = field(default_factory=list[Line])
    due: datetime | None = None
    price: Decimal = Decimal(0)
    colour: Colour = Colour.RED


class Address(TypedDict):
    street: str
    number: int


class Point(msgspec.Struct):
    x: float
    y: float


class Person(pydantic.BaseModel):
    name: str
    age: int | None = None
    weight: float = 0.0


@pytest.mark.parametrize(
    "kind, value",
    [
        (Order, Order(UUID(int=7), [Line("pen", 2), Line("ink")], datetime(2026, 1, 2, tzinfo=UTC), Decimal("1.10"))),
        (Address, {"street": "Höhe \U0001f600", "number": 7}),
        (Point, Point(0.1, -1e300)),
        (Person, Person(name="Ada", age=36)),
        (list[Line | None], [Line("pen"), None]),
        (dict[str, list[int]], {"": [], "a": [1, 2**53 + 1]}),
        (tuple[int, str], (1, "null")),
        (int, 2**70),
        (timedelta, timedelta(seconds=90)),
        (type(None), None),
        (str, 'quotes " and \\u0000 as six characters'),
        (bytes, b"\x00\xff"),
        (Any, [None, {"deep": [True, 1.5]}]),
    ],
)
def test_a_value_comes_back_as_it_was(kind: Any, value: object) -> None:
    payload = Payload(kind)

    assert payload.decode(payload.encode(value)) == value


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
numbers = st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
plain = st.recursive(
    st.none() | st.booleans() | numbers | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=20,
)


@given(plain)
def test_plain_json_comes_back_as_it_was(value: object) -> None:
    payload = Payload(Any)

    encoded = payload.encode(value)

    assert payload.decode(encoded) == value
    assert json.loads(encoded) == value


@given(st.text())
def test_any_text_is_kept_or_refused(value: str) -> None:
    payload = Payload(str)
    try:
        encoded = payload.encode(value)
    except InvalidArgument:
        assert "\0" in value or any("\ud800" <= character <= "\udfff" for character in value)
    else:
        assert payload.decode(encoded) == value


def _nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def _circle() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@dataclass
class Measure:
    value: float


NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    "kind, value, problem",
    [
        pytest.param(Line, Line("pen", "two"), "does not fit Line", id="a field of another type"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        pytest.param(Line, {"pieces": 1}, "does not fit Line", id="a field that is missing"),
        pytest.param(Line, 7, "does not fit Line", id="another type"),
        pytest.param(Person, {"name": "Ada"}, "is dict, or holds what Person", id="a dict for a model"),
        pytest.param(int, 2**1100, "too large to store", id="an integer of 1,100 bits"),
        pytest.param(msgspec.Raw, msgspec.Raw(b"1e-20000"), "too fine to store", id="a number of 20,000 decimals"),
        pytest.param(Any, object(), "cannot be written as JSON", id="an object of no kind"),
        pytest.param(str, "a\0b", "NUL", id="NUL in text"),
        pytest.param(dict[str, int], {"a\0": 1}, "NUL", id="NUL in a key"),
        pytest.param(str, "a\ud800b", "surrogate", id="a lone surrogate"),
        pytest.param(Person, Person(name="a\ud800b"), "surrogate|JSON", id="a lone surrogate in a model"),
        pytest.param(Measure, Measure(NAN), "nan", id="NaN"),
        pytest.param(list[float | None], [1.0, INFINITE], "inf", id="infinity"),
        pytest.param(dict[str, Any], {"a": [{"b": -INFINITE}]}, "-inf", id="infinity deep inside"),
        pytest.param(Person, Person(name="null", weight=NAN), "nan", id="NaN in a model"),
        pytest.param(Any, _nested(MAX_DEPTH + 1), "nests deeper", id="one level too deep"),
        pytest.param(Any, _nested(20_000), "nests deeper", id="20,000 levels"),
        pytest.param(Any, _circle(), "nests deeper", id="a circle"),
        pytest.param(str, "x" * 200, "202 bytes", id="over the limit"),
    ],
)
def test_what_cannot_be_stored_is_refused_by_name(kind: Any, value: object, problem: str) -> None:
    limit = 200 if problem == "202 bytes" else 1 << 20

    with pytest.raises(InvalidArgument, match=problem) as caught:
        Payload(kind).encode(value, argument="output", limit=limit)

    assert caught.value.argument == "output"


def test_the_deepest_nesting_and_the_largest_size_are_allowed() -> None:
    deep = _nested(MAX_DEPTH)

    assert json.loads(Payload(Any).encode(deep)) == deep
    assert len(Payload(str).encode("x" * 198, limit=200)) == 200


@pytest.mark.parametrize("kind", [lambda: None, Line | Order, "no such type"])
def test_a_type_that_cannot_be_read_back_is_refused(kind: Any) -> None:
    with pytest.raises(InvalidArgument, match="type"):
        Payload(kind)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"article": 1}', '{"article": "a", "pieces": null}', '"\ud800"'])
def test_what_no_longer_fits_does_not_decode(text: str) -> None:
    with pytest.raises(UndecodablePayload, match="Line"):
        Payload(Line).decode(text)


@pytest.mark.parametrize(
    "data",
    [
        b"null",
        b'"\\\\u0000"',
        b'"\\\\\\\\u0000 \\\\ud800"',
        b'"\\ud83d\\ude00"',
        b'"\\uD83D\\uDE00\\ud83d\\ude00"',
        b'"1e400"',
        b"1e308",
        b'["' + b"9" * 400 + b'"]',
        b"[" * MAX_DEPTH + b"]" * MAX_DEPTH,
        b'"' + b"[" * 1000 + b'"',
        b'"\\"' + b"{" * 1000 + b'"',
    ],
)
def test_json_that_every_database_holds_passes(data: bytes) -> None:
    json.loads(data)

    check_json(data, argument="input")


@pytest.mark.parametrize(
    "data, problem",
    [
        (b'"\\u0000"', "NUL"),
        (b'"\\\\\\u0000"', "NUL"),
        (b'{"\\u0000": 1}', "NUL"),
        (b'"\\ud800"', "surrogate"),
        (b'"\\udc00"', "surrogate"),
        (b'"\\ud800\\n"', "surrogate"),
        (b'"\\ud800 \\udc00"', "surrogate"),
        (b'"\\ud800\\ud800\\udc00"', "surrogate"),
        (b'"\\udc00\\ud800"', "surrogate"),
        (b'"\\uD800"', "surrogate"),
        (b"1e309", "too large"),
        (b"[-1E+400]", "too large"),
        (b'{"a": ' + b"9" * 400 + b"}", "too large"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "nests deeper"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, "nests deeper"),
        (b'"' + b"x" * (1 << 20) + b'"', "over the limit"),
    ],
)
def test_json_that_some_database_refuses_does_not_pass(data: bytes, problem: str) -> None:
    with pytest.raises(InvalidArgument, match=problem):
        check_json(data, argument="input")


@pytest.mark.parametrize("text", ["a", "x" * 8, "ключ 🗝", "a.b-c d", "\x01"])
def test_text_that_can_be_a_name_is_returned(text: str) -> None:
    assert check_text(text, argument="key", longest=8) is text


@pytest.mark.parametrize(
    "text, problem",
    [
        ("", "0 characters"),
        ("x" * 9, "9 characters"),
        ("a\0", "NUL"),
        ("\ud800", "surrogate"),
        (7, "int"),
        (None, "NoneType"),
        (b"bytes", "bytes"),
    ],
)
def test_text_that_cannot_be_a_name_is_refused(text: Any, problem: str) -> None:
    with pytest.raises(InvalidArgument, match=problem):
        check_text(text, argument="key", longest=8)


@given(st.text(), st.integers(1, 50))
def test_storable_text_can_be_stored(text: str, longest: int) -> None:
    kept = storable(text, longest=longest)

    assert len(kept) <= longest
    assert "\0" not in kept
    kept.encode()


@given(text)
def test_text_that_is_fine_is_stored_as_it_is(text: str) -> None:
    assert storable(text, longest=len(text) or 1) == text


def test_text_that_is_too_long_ends_in_an_ellipsis() -> None:
    assert storable("abcdef", longest=4) == "abc…"
