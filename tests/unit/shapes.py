"""Common shapes of payloads, each with a value: none of them may be refused, and each arrives equal."""

from __future__ import annotations

import ipaddress
from collections import deque
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, NotRequired, TypedDict, TypeVar
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import msgspec
import pydantic
import pydantic.dataclasses
from pydantic.alias_generators import to_camel

T = TypeVar("T")


class Colour(Enum):
    RED = "red"
    ROT = "red"  # noqa: PIE796  # another name for it, as enums allow


class Level(IntEnum):
    LOW = 1


class Mood(StrEnum):
    GOOD = "good"


class Rights(Flag):
    READ = 1
    WRITE = 2


class Point(NamedTuple):
    x: int
    y: int = 0


class Address(TypedDict):
    street: str
    number: NotRequired[int]


class Filter(TypedDict, total=False):
    since: date
    words: list[str]


@dataclass(frozen=True, slots=True)
class Line:
    article: str
    pieces: int = 1


@dataclass
class Order:
    id: UUID
    _: KW_ONLY
    due: datetime
    lines: list[Line] = field(default_factory=list[Line])
    total: int = field(init=False, default=0)
    note: str | None = None


@dataclass(eq=False)
class Bare:
    a: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bare) and self.a == other.a

    __hash__ = None  # type: ignore[assignment]


class Circle(msgspec.Struct, tag=True, rename="camel", omit_defaults=True):
    line_width: float = 1.0


class Square(msgspec.Struct, tag=True, forbid_unknown_fields=True):
    side: int


class Camel(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(alias_generator=to_camel, populate_by_name=True)
    user_name: str
    born_at: datetime = pydantic.Field(default_factory=lambda: datetime.now(UTC))
    key: UUID = pydantic.Field(default_factory=uuid4)


class Computed(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")
    width: int

    @pydantic.computed_field  # type: ignore[prop-decorator]  # as pydantic's manual has it
    @property
    def area(self) -> int:
        return self.width**2


class Extra(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow", frozen=True)
    a: int

    @pydantic.computed_field  # type: ignore[prop-decorator]  # as pydantic's manual has it
    @property
    def double(self) -> int:
        return self.a * 2


class Ingested(pydantic.BaseModel):
    amount: int = pydantic.Field(
        default=0, validation_alias=pydantic.AliasChoices("amount_cents", pydantic.AliasPath("money", "cents"))
    )
    city: str = pydantic.Field(validation_alias=pydantic.AliasPath("address", "city"))
    zip: str = pydantic.Field(validation_alias="zipIn", serialization_alias="zipOut")


class Dog(pydantic.BaseModel):
    kind: Literal["dog"] = "dog"
    barks: int


class Cat(pydantic.BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class Box(pydantic.BaseModel, Generic[T]):
    content: T


class Names(pydantic.RootModel[list[str]]):
    pass


class Trimmed(pydantic.BaseModel):
    name: Annotated[str, pydantic.StringConstraints(strip_whitespace=True, to_lower=True)]

    @pydantic.model_validator(mode="before")
    @classmethod
    def with_name(cls, values: Any) -> Any:
        return {"name": "nobody", **values} if isinstance(values, dict) else values


class Kept(pydantic.BaseModel):
    password: pydantic.SecretStr
    settings: pydantic.Json[dict[str, int]]

    @pydantic.field_serializer("password", when_used="json")
    def shown(self, password: pydantic.SecretStr) -> str:
        return password.get_secret_value()


class Everything(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")
    folder: Path
    host: ipaddress.IPv4Address
    page: pydantic.HttpUrl
    site: pydantic.AnyUrl
    price: Decimal
    size: pydantic.ByteSize
    data: bytes
    days: timedelta
    parts: set[int]
    queue: deque[int]
    point: Point
    line: Line
    anything: Any = None


@pydantic.dataclasses.dataclass
class Checked:
    pieces: Annotated[int, pydantic.Field(gt=0)]
    lines: list[Line] = pydantic.Field(default_factory=list)


class Page(msgspec.Struct):
    url: pydantic.HttpUrl
    file: Path
    owner: Camel


class Cached(pydantic.BaseModel):
    a: int
    _lock: object = pydantic.PrivateAttr(default_factory=object)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cached) and self.a == other.a


class Handle:
    """Has no ``==`` of its own."""

    def __init__(self, number: int) -> None:
        self.number = number


Handled = Annotated[
    Handle,
    pydantic.GetPydanticSchema(lambda _, handler: handler(Any)),
    pydantic.PlainValidator(lambda value: value if isinstance(value, Handle) else Handle(value)),
    pydantic.PlainSerializer(lambda value: value.number, return_type=int),
]

NOW = datetime(2026, 7, 8, 9, 10, 11, 121314, tzinfo=ZoneInfo("Europe/Berlin"))
ORDER = Order(UUID(int=7), due=NOW, lines=[Line("pen", 2), Line("ink")])
EVERYTHING = Everything(
    folder=Path("a/b"),
    host=ipaddress.IPv4Address("10.0.0.1"),
    page=pydantic.HttpUrl("https://example.com/a"),
    site=pydantic.AnyUrl("ftp://example.com"),
    price=Decimal("1.10"),
    size=pydantic.ByteSize(7),
    data=b"\x00\xff",
    days=timedelta(days=-3, microseconds=5),
    parts={1, 2},
    queue=deque([1, 2]),
    point=Point(1, 2),
    line=Line("pen"),
    anything={"a": [1, None, "x", 0.5, True]},
)

SHAPES: list[tuple[Any, object]] = [
    (type(None), None),
    (int, 2**70),
    (bool, True),
    (str, "Höhe \U0001f600"),
    (float, -0.1),
    (float, 1e300),
    (float, 7),
    (int | float, 1.0),
    (int | float, 1e23),
    (int | str | None, "1"),
    (bytes, b"\x00\xff"),
    (bytearray, bytearray(b"\x00\xff")),
    (Decimal, Decimal("1.10")),
    (UUID, UUID(int=7)),
    (date, date(2026, 1, 2)),
    (time, time(9, 30, tzinfo=UTC)),
    (datetime, NOW),
    (datetime, datetime(2026, 1, 2, 3)),
    (timedelta, timedelta(days=-1, seconds=3, microseconds=5)),
    (Colour, Colour.ROT),
    (Level, Level.LOW),
    (Mood, Mood.GOOD),
    (Rights, Rights.READ | Rights.WRITE),
    (Literal["a", 1], 1),
    (list[list[int]], [[1], [], [2, 3]]),
    (dict[str, list[int]], {"a": [1], "": []}),
    (dict[int, str], {1: "a", -2: "b"}),
    (dict[UUID, date], {UUID(int=7): date(2026, 1, 2)}),
    (dict[Colour, Any], {Colour.RED: None}),
    (tuple[int, str], (1, "a")),
    (tuple[int, ...], (1, 2)),
    (Sequence[int], [1, 2]),
    (set[str], {"a", "b"}),
    (frozenset[int], frozenset({1, 2})),
    (Any, {"a": [1, None, "x", 0.5, 1e23, True, 2**70, {"b": -0.0}]}),
    (dict[str, Any], {"b": 1, "a": {"d": [], "c": 1e16}}),
    (Point, Point(1, 2)),
    (Address, {"street": "x"}),
    (Filter, {"since": date(2026, 1, 2), "words": ["a"]}),
    (Line, Line("pen")),
    (Order, ORDER),
    (list[Line | None], [Line("pen"), None]),
    (Bare, Bare(7)),
    (Circle | Square, Circle(2.0)),
    (Circle | Square, Square(2)),
    (Path, Path("a/b")),
    (ipaddress.IPv4Network, ipaddress.IPv4Network("10.0.0.0/8")),
    (pydantic.HttpUrl, pydantic.HttpUrl("https://example.com/a")),
    (Page, Page(pydantic.HttpUrl("https://example.com"), Path("c"), Camel(user_name="ada"))),
    (Camel, Camel(user_name="ada")),
    (list[Camel], [Camel(user_name="ada")]),
    (Camel | None, None),
    (Computed, Computed(width=3)),
    (Extra, Extra(a=1, b=[2])),  # type: ignore[call-arg]  # extra="allow"
    (Ingested, Ingested(amount_cents=1999, address={"city": "Ulm"}, zipIn="89073")),  # type: ignore[call-arg]  # by alias
    (Annotated[Dog | Cat, pydantic.Field(discriminator="kind")], Cat(lives=7)),
    (Dog | Cat, Dog(barks=1)),
    (Box[int], Box[int](content=7)),
    (Box[Line], Box[Line](content=Line("pen"))),
    (Names, Names(["a", "b"])),
    (Trimmed, Trimmed(name=" Ada ")),
    (Kept, Kept(password=pydantic.SecretStr("abc"), settings='{"a": 1}')),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # JSON in text
    (Everything, EVERYTHING),
    (Checked, Checked(7, [Line("pen")])),
    (Cached, Cached(a=7)),
]
