"""What is written can be read back as the same value, or is refused when it is written: types of msgspec's."""

from __future__ import annotations

import json
from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any, TypedDict
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest

from otelq.codec import Payload
from otelq.errors import InvalidArgument

from .shapes import SHAPES, Colour, Line, Order

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize("kind, value", SHAPES)
def test_common_shapes_are_accepted_and_arrive_equal(kind: Any, value: object) -> None:
    payload = Payload(kind)

    got = payload.decode(payload.encode(value))

    assert got == value
    assert type(got) is type(value) or kind is float


@dataclass
class Counted:
    number: int

    def __post_init__(self) -> None:
        self.number += 1


@dataclass
class Doubled:
    number: int
    double: int = field(init=False)

    def __post_init__(self) -> None:
        self.double = 2 * self.number


def doubled(*, double: int) -> Doubled:
    value = Doubled(1)
    value.double = double
    return value


class Grown(msgspec.Struct):
    number: int

    def __post_init__(self) -> None:
        self.number += 1


@dataclass(frozen=True)
class LongLine(Line):
    colour: str = "red"


@dataclass
class Entity:
    """Equal by its id only."""

    id: int
    name: str = field(compare=False)
    extra: Any = field(default=None, compare=False)


class Words(TypedDict):
    words: list[Any]


def test_a_dataclass_that_sets_its_fields_to_the_same_again_comes_back() -> None:
    payload = Payload(Doubled)

    assert payload.decode(payload.encode(doubled(double=2))) == doubled(double=2)


@pytest.mark.parametrize(
    "kind, value, problem",
    [
        pytest.param(str, UUID(int=1), "is UUID and would come back as str", id="a UUID for text"),
        pytest.param(str, date(2026, 1, 2), "is date and would come back as str", id="a date for text"),
        pytest.param(str, Colour.RED, "is Colour and would come back as str", id="an enum for text"),
        pytest.param(UUID, str(UUID(int=1)), "is str and would come back as UUID", id="text for a UUID"),
        pytest.param(Colour, "red", "is str and would come back as Colour", id="text for an enum"),
        pytest.param(date, datetime(2026, 1, 2), "does not fit date", id="a datetime for a date"),
        pytest.param(float, 2**53 + 1, "is int and would come back as float", id="an int that is no float"),
        pytest.param(Decimal, 0.1, "is float and would come back as Decimal", id="a float for a decimal"),
        pytest.param(int, True, "does not fit int", id="a bool for an int"),
        pytest.param(list[int], (1, 2), "is tuple and would come back as list", id="a tuple for a list"),
        pytest.param(tuple[int, ...], [1, 2], "is list and would come back as tuple", id="a list for a tuple"),
        pytest.param(set[int], [1, 1], "is list and would come back as set", id="a list for a set"),
        pytest.param(Any, {"a": (1, 2)}, r"\[…\] is tuple and would come back as list", id="a tuple for anything"),
        pytest.param(Any, [0, {1, 2}], r"\[1\] is set and would come back as list", id="a set for anything"),
        pytest.param(Any, {"a": date(2026, 1, 2)}, r"\[…\] is date and would", id="a date for anything"),
        pytest.param(Any, {"a": Decimal(1)}, r"\[…\] is Decimal and would", id="a decimal for anything"),
        pytest.param(Any, {"a": Line("pen")}, r"\[…\] is Line and would come back as dict", id="a dataclass for any"),
        pytest.param(Any, {1: "a"}, "has keys that would be lost or come back as others", id="an int as a key"),
        pytest.param(dict[str, Any], {1: "a", "1": "b"}, "has keys that would be lost", id="one key twice"),
        pytest.param(Words, {"words": [], "more": 1}, "has keys that would be lost", id="a key of no TypedDict"),
        pytest.param(Words, {"words": ["a", (1,)]}, r"words\[1\] is tuple", id="deep in a TypedDict"),
        pytest.param(Line, {"article": "pen"}, "is dict and would come back as Line", id="a dict for a dataclass"),
        pytest.param(Line, LongLine("pen"), "is LongLine and would come back as Line", id="a subclass"),
        pytest.param(list[Line], [LongLine("pen")], r"\[0\] is LongLine and would", id="a subclass in a list"),
        pytest.param(Counted, Counted(1), "number would come back as another value", id="a dataclass that counts"),
        pytest.param(Grown, Grown(1), "number would come back as another value", id="a Struct that counts"),
        pytest.param(Doubled, doubled(double=7), "double would come back as another value", id="a field set by hand"),
        pytest.param(Entity, Entity(1, "a", (2,)), "extra is tuple and would", id="a field that == passes by"),
        pytest.param(float | None, float("nan"), "holds nan", id="NaN where None may be"),
        pytest.param(
            datetime, datetime(1880, 1, 1, tzinfo=BERLIN), "would come back as another value", id="an offset of 53:28"
        ),
    ],
)
def test_what_would_come_back_as_another_value_is_refused_by_its_path(kind: Any, value: object, problem: str) -> None:
    with pytest.raises(InvalidArgument, match=problem) as caught:
        Payload(kind).encode(value, argument="continuation")

    assert caught.value.argument == "continuation"


def test_what_a_refusal_says_shows_no_value_and_no_key() -> None:
    with pytest.raises(InvalidArgument) as caught:
        Payload(Any).encode({"hush5678": {"x": date(1999, 1, 2)}})

    assert "hush" not in str(caught.value)
    assert "1999" not in str(caught.value)


class Markup(str):
    """As template engines have it, with an ``==`` and a text of its own."""

    def __str__(self) -> str:
        return "<b>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Markup) and str.__eq__(self, other)

    __hash__ = str.__hash__


class Cents(int):
    def __int__(self) -> int:
        return -1


class Metres(float):
    pass


class Moment(datetime):
    pass


class Day(date):
    pass


class Clock(time):
    pass


class Span(timedelta):
    pass


class Price(Decimal):
    pass


class Key(UUID):
    pass


class Blob(bytes):
    pass


class Rows(list[Any]):
    pass


class Level(IntEnum):
    LOW = 1


class Mood(StrEnum):
    GOOD = "good"


@dataclass
class Labelled:
    label: str
    cents: int
    at: datetime
    more: dict[str, Any] = field(default_factory=dict[str, Any])


SUBCLASSED: list[tuple[Any, Any, object]] = [
    (str, Markup("a"), "a"),
    (int, Cents(7), 7),
    (float, Metres(1.5), 1.5),
    (bytes, Blob(b"\xff"), b"\xff"),
    (datetime, Moment(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)),
    (date, Day(2026, 1, 2), date(2026, 1, 2)),
    (time, Clock(3, 4), time(3, 4)),
    (timedelta, Span(seconds=3), timedelta(seconds=3)),
    (Decimal, Price("1.10"), Decimal("1.10")),
    (UUID, Key(int=7), UUID(int=7)),
    (list[int], Rows([1]), [1]),
    (dict[str, int], OrderedDict(a=1), {"a": 1}),
    (dict[str, int], defaultdict(int, a=1), {"a": 1}),
    (dict[str, int], {Markup("a"): Cents(1)}, {"a": 1}),
    (int, Level.LOW, 1),
    (str, Mood.GOOD, "good"),
    (Any, Rows([Markup("a"), {Markup("b"): Cents(1)}, Level.LOW]), ["a", {"b": 1}, 1]),
    (str | None, Markup("a"), "a"),
    (list[dict[str, str]], [{"a": Markup("b")}], [{"a": "b"}]),
    (
        Labelled,
        Labelled(Markup("a"), Cents(7), Moment(2026, 1, 2, tzinfo=UTC), {"b": [Markup("c")]}),
        Labelled("a", 7, datetime(2026, 1, 2, tzinfo=UTC), {"b": ["c"]}),
    ),
]


@pytest.mark.parametrize("kind, value, base", SUBCLASSED)
def test_a_value_of_a_subclass_of_a_built_in_type_is_stored_as_its_base_value(
    kind: Any, value: object, base: object
) -> None:
    payload = Payload(kind)

    text = payload.encode(value)

    assert text == payload.encode(base)
    assert payload.decode(text) == base
    assert type(payload.decode(text)) is type(base)


class Nanoseconds(datetime):
    """A time that holds more than a datetime, as those of data frames do."""

    nanosecond = 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Nanoseconds)

    __hash__ = datetime.__hash__


def test_a_subclass_that_holds_more_than_its_base_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="is Nanoseconds and would come back as datetime"):
        Payload(datetime).encode(Nanoseconds(2026, 1, 2))


@pytest.mark.parametrize("fold", [0, 1])
def test_a_time_in_the_hour_that_comes_twice_comes_back_as_the_same_instant(fold: int) -> None:
    payload = Payload(Order)
    at = datetime(2026, 10, 25, 2, 30, fold=fold, tzinfo=BERLIN)

    got = payload.decode(payload.encode(Order(UUID(int=1), due=at)))

    assert got.due.astimezone(UTC) == at.astimezone(UTC)


@dataclass
class Loose:
    lines: Sequence[int] = ()


def test_a_tuple_passes_where_any_sequence_is_declared() -> None:
    payload = Payload(Loose)

    assert payload.decode(payload.encode(Loose((1, 2)))).lines == [1, 2]
    assert Payload(Sequence[int]).encode((1, 2)) == "[1,2]"


def test_a_value_whose_comparison_raises_is_not_refused_for_that() -> None:
    payload = Payload(list[Decimal])

    assert payload.encode([Decimal("sNaN")]) == '["sNaN"]'


def test_a_float_is_written_so_that_a_database_of_decimals_keeps_it_a_float() -> None:
    payload = Payload(Any)
    numbers = [1e16, 1e23, -1.5e300, 2.5e17, 5e-324, 1e-7, "1e23", 'a"1e23']

    text = payload.encode(numbers)

    assert json.loads(text) == numbers
    assert all("e+" not in part and "." in part for part in text.split(",")[:4])
