"""What a handler gets equals what was started, or the start was refused: over types and values that chance makes."""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, TypedDict
from uuid import UUID

import msgspec
import pydantic
from hypothesis import given, settings
from hypothesis import strategies as st

from otelq.codec import Payload
from otelq.errors import InvalidArgument

from .test_readback import Cents, Markup, Moment, Rows

Typed = tuple[Any, st.SearchStrategy[Any]]
"""A type with a strategy for its values, which at times are not quite of the type."""

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)
numbers = st.integers(-(2**70), 2**70)
floats = st.floats(allow_nan=False, allow_infinity=False)
times = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
PLAIN: list[Typed] = [
    (int, numbers),
    (str, texts),
    (float, floats),
    (bool, st.booleans()),
    (datetime, times),
    (date, st.dates()),
    (UUID, st.uuids()),
    (timedelta, st.timedeltas(timedelta(days=-999), timedelta(days=999))),
    (Decimal, st.decimals(allow_nan=False, allow_infinity=False, places=3)),
]
ODD: list[Typed] = [
    (int, numbers.map(Cents)),
    (str, texts.map(Markup)),
    (float, numbers),
    (datetime, times.map(lambda at: Moment.fromisoformat(at.isoformat()))),
    (str, st.uuids() | st.dates() | st.just(b"x")),
    (Any, texts | numbers | floats | st.none() | st.dates() | st.just((1,)) | texts.map(Markup)),
    (int | float, numbers | floats),
    (str | int | None, texts | numbers | st.none()),
    (list[int], st.lists(numbers, max_size=2).map(Rows) | st.just((1, 2))),
    (dict[str, int], st.dictionaries(texts.map(Markup), numbers, max_size=2).map(OrderedDict)),
]
PYDANTIC_ONLY: list[Typed] = [
    (str | UUID, texts | st.uuids() | st.uuids().map(str)),
    (str | datetime, texts | times | times.map(str)),
    (int | str | date, numbers | texts | st.dates()),
]


def around(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    """Containers and unions round a type."""

    def wrap(typed: Typed, how: int) -> Typed:
        kind: Any
        kind, values = typed
        wrapped: list[Typed] = [
            (list.__class_getitem__(kind), st.lists(values, max_size=3)),
            (dict.__class_getitem__((str, kind)), st.dictionaries(texts, values, max_size=3)),
            (tuple.__class_getitem__((kind, ...)), st.lists(values, max_size=3).map(tuple)),
            (Any if kind is Any else kind | None, values | st.none()),
        ]
        return wrapped[how]

    return st.builds(wrap, inner, st.integers(0, 3))


Making = Callable[[list[tuple[str, Typed]], int], Typed]


def _made(make: Making, fields: list[tuple[str, Typed]], twist: int) -> Typed:
    return make(fields, twist)


def types(leaves: list[Typed], *classes: Making) -> st.SearchStrategy[Typed]:
    """Types of these leaves, in containers and in classes of these kinds, each with a twist by number."""

    def deeper(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
        fields = st.lists(inner, min_size=1, max_size=3).map(lambda each: list(zip("abc", each, strict=False)))
        return around(inner) | st.builds(_made, st.sampled_from(classes), fields, twists)

    twists = st.integers(0, 9)
    return st.recursive(st.sampled_from(leaves), deeper, max_leaves=4)


def a_dataclass(fields: list[tuple[str, Typed]], twist: int) -> Typed:
    def __post_init__(self: Any) -> None:
        if twist == 1 and type(self.a) is int:
            object.__setattr__(self, "a", self.a + 1)

    made = dataclasses.make_dataclass(
        "Data",
        [(name, kind, dataclasses.field(compare=twist != 2)) for name, (kind, _) in fields],
        namespace={"__post_init__": __post_init__},
        eq=twist != 3,
        frozen=twist == 4,
        slots=twist == 5,
        kw_only=twist == 6,
    )
    given = dataclasses.make_dataclass("More", [("z", int, 0)], bases=(made,), kw_only=True) if twist == 7 else made
    return made, st.builds(given, **{name: values for name, (_, values) in fields})


def a_struct(fields: list[tuple[str, Typed]], twist: int) -> Typed:
    made = msgspec.defstruct(
        "Record",
        [(name, kind) for name, (kind, _) in fields],
        rename="upper" if twist == 1 else None,
        tag=True if twist == 2 else None,
        array_like=twist == 3,
        forbid_unknown_fields=twist == 4,
        eq=twist != 5,
    )
    return made, st.builds(made, **{name: values for name, (_, values) in fields})


def a_typed_dict(fields: list[tuple[str, Typed]], twist: int) -> Typed:
    make: Any = TypedDict
    made = make("Row", {name: kind for name, (kind, _) in fields}, total=twist % 2 == 0)
    required = {name: values for name, (_, values) in fields}
    extra = {"zzz": st.integers()} if twist == 1 else {}
    return made, st.fixed_dictionaries({**required, **extra})


def a_model(fields: list[tuple[str, Typed]], twist: int) -> Typed:
    def changed(value: Any) -> Any:
        return value + 1 if type(value) is int else value

    def field(kind: Any) -> Any:
        match twist:
            case 1:
                return kind, pydantic.Field(alias="x-alias")
            case 2:
                return kind, pydantic.Field(validation_alias=pydantic.AliasChoices("one", pydantic.AliasPath("two", 0)))
            case 3:
                return kind, pydantic.Field(serialization_alias="written")
            case 4:
                return kind, pydantic.Field(default=None, exclude=True)
            case 5:
                return Annotated[kind, pydantic.AfterValidator(changed)], ...
            case 6:
                return kind, pydantic.Field(default=None, validation_alias="read", serialization_alias="written")
            case _:
                return kind, ...

    config = pydantic.ConfigDict(extra="forbid" if twist == 8 else "allow" if twist == 9 else "ignore")
    first, *others = fields
    annotated = {first[0]: field(first[1][0]), **{name: (kind, ...) for name, (kind, _) in others}}
    make: Any = pydantic.create_model
    made = make("Model", __config__=config, **annotated)
    extra = {"zzz": st.just((1,)) | st.integers()} if twist == 9 else {}
    values = st.fixed_dictionaries({**{name: values for name, (_, values) in fields}, **extra})

    def constructed(given: dict[str, Any]) -> Any:
        return made.model_construct(**given)  # as by assignment: nothing is validated

    return made, values.map(constructed)


def facts(value: Any) -> Any:
    """A value as nested tuples that are equal only if class and every field are, with base values of subclasses."""
    kind = type(value)
    if dataclasses.is_dataclass(value):
        return kind, tuple(facts(getattr(value, field.name)) for field in dataclasses.fields(value))
    if isinstance(value, msgspec.Struct):
        return kind, tuple(facts(getattr(value, name)) for name in value.__struct_fields__)
    if isinstance(value, pydantic.BaseModel):
        return kind, tuple(facts(getattr(value, name)) for name in kind.model_fields), facts(value.model_extra)
    if isinstance(value, dict):
        return dict, frozenset((str.__str__(key), facts(each)) for key, each in value.items())
    if isinstance(value, (list, tuple)):
        return isinstance(value, list), tuple(map(facts, value))
    if isinstance(value, str):
        return str, str.__str__(value)
    if isinstance(value, (bool, int, float)):
        return isinstance(value, bool), int.__add__(value, 0) if isinstance(value, int) else value
    return isinstance(value, datetime), value


def as_decimals(text: str) -> str:
    """The JSON as a database gives it back that keeps numbers as decimals, and keys in an order of its own."""
    return _written(json.loads(text, parse_float=Decimal))


def _written(value: Any) -> str:
    if isinstance(value, dict):
        keys: list[str] = sorted(sorted(value), key=len)
        return "{" + ", ".join(f"{json.dumps(key)}: {_written(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    return f"{value:f}" if isinstance(value, Decimal) else json.dumps(value)


def check(kind: Any, value: Any) -> bool:
    """Hold one value to the rule; False if it was refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pydantic, about models that were made to be wrong
        try:
            payload = Payload(kind)
            text = payload.encode(value)
        except InvalidArgument:
            return False
        for stored in (text, as_decimals(text)):
            assert facts(payload.decode(stored)) == facts(value)
    return True


@settings(max_examples=400)
@given(st.data(), types(PLAIN + ODD, a_dataclass, a_struct, a_typed_dict))
def test_what_msgspec_writes_is_read_back_or_refused(data: st.DataObject, typed: Typed) -> None:
    kind, values = typed
    check(kind, data.draw(values))


@settings(max_examples=400)
@given(st.data(), types(PLAIN + ODD + PYDANTIC_ONLY, a_dataclass, a_model))
def test_what_pydantic_writes_is_read_back_or_refused(data: st.DataObject, typed: Typed) -> None:
    kind, values = a_model([("a", typed)], 0)
    check(kind, data.draw(values))


@settings(max_examples=200)
@given(st.data(), types(PLAIN, lambda fields, _: a_dataclass(fields, 0), lambda fields, _: a_struct(fields, 0)))
def test_plain_values_of_plain_types_are_never_refused(data: st.DataObject, typed: Typed) -> None:
    kind, values = typed
    assert check(kind, data.draw(values))


@settings(max_examples=200)
@given(st.data(), types(PLAIN, lambda fields, _: a_model(fields, 0), lambda fields, _: a_model(fields, 2)))
def test_plain_values_of_models_are_never_refused(data: st.DataObject, typed: Typed) -> None:
    kind, values = a_model([("a", typed)], 0)
    assert check(kind, data.draw(values))
