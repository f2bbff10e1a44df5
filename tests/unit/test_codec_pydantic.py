"""Pydantic types as payloads: by pydantic's rules, alone, in other types, and around them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, Protocol, TypedDict, TypeVar, cast

import msgspec
import pydantic
import pydantic.dataclasses
import pytest

from otelq.codec import Payload
from otelq.errors import InvalidArgument, UndecodablePayload

T = TypeVar("T")


class Person(pydantic.BaseModel):
    name: str
    age: int | None = None
    weight: float = 0.0


class Dog(pydantic.BaseModel):
    kind: Literal["dog"] = "dog"
    barks: int


class Cat(pydantic.BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9


Pet = Annotated[Dog | Cat, pydantic.Field(discriminator="kind")]


class Names(pydantic.RootModel[list[str]]):
    pass


class Box(pydantic.BaseModel, Generic[T]):
    content: T


class Tree(pydantic.BaseModel):
    name: str
    branches: list[Tree] = []


class Renamed(pydantic.BaseModel):
    user_name: str = pydantic.Field(alias="userName")


class Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)
    pieces: int


@pydantic.dataclasses.dataclass
class Checked:
    pieces: Annotated[int, pydantic.Field(gt=0)]


@dataclass
class Line:
    article: str
    pieces: int = 1


class Basket(pydantic.BaseModel):
    lines: list[Line]
    folder: Path = Path("a/b")


@dataclass
class Household:
    head: Person
    others: list[Person] = field(default_factory=list[Person])
    guest: Person | None = None


class Owner(TypedDict):
    person: Person
    pets: dict[str, Cat]


class Team(msgspec.Struct):
    lead: Person
    size: int


ADA = Person(name="Ada", age=36)


@pytest.mark.parametrize(
    "kind, value",
    [
        (Person, ADA),
        (list[Person], [ADA, Person(name="Bob")]),
        (dict[str, Person], {"a": ADA}),
        (tuple[int, Person], (7, ADA)),
        (Person | None, None),
        (Person | None, ADA),
        (Person | int, 7),
        (Pet, Cat(lives=7)),
        (list[Pet], [Dog(barks=1), Cat()]),
        (Names, Names(["a", "b"])),
        (Box[int], Box[int](content=7)),
        (Box[Person], Box[Person](content=ADA)),
        (Tree, Tree(name="a", branches=[Tree(name="b", branches=[Tree(name="c")])])),
        (Renamed, Renamed(userName="ada")),
        (Checked, Checked(7)),
        (list[Checked], [Checked(7)]),
        (Basket, Basket(lines=[Line("pen", 2)], folder=Path("c"))),
        (Person | Line, Line("pen", 2)),
        (Household, Household(ADA)),
        (Household, Household(ADA, [Person(name="null"), ADA], guest=ADA)),
        (Owner, {"person": ADA, "pets": {"tom": Cat(lives=1)}}),
        (Team, Team(ADA, 7)),
        (list[Household], [Household(ADA)]),
    ],
)
def test_a_value_comes_back_as_it_was(kind: Any, value: object) -> None:
    payload = Payload(kind)

    assert payload.decode(payload.encode(value)) == value


def test_a_model_is_written_under_the_names_that_it_is_read_by() -> None:
    assert json.loads(Payload(Renamed).encode(Renamed(userName="ada"))) == {"userName": "ada"}


def test_each_side_keeps_its_own_strictness() -> None:
    assert Payload(Person).decode('{"name": "Ada", "age": "36"}') == ADA
    with pytest.raises(UndecodablePayload, match="valid integer"):
        Payload(Strict).decode('{"pieces": "7"}')
    with pytest.raises(UndecodablePayload, match="Expected `int`"):
        Payload(Team).decode('{"lead": {"name": "Ada", "age": "36"}, "size": "7"}')
    assert Payload(Team).decode('{"lead": {"name": "Ada", "age": "36"}, "size": 7}') == Team(ADA, 7)


def _changed(model: Any, **fields: object) -> Any:
    """The model with fields set past its validation, as plain assignment does."""
    for name, value in fields.items():
        setattr(model, name, value)
    return model


class Loose(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(ser_json_inf_nan="constants")
    value: float


NAN = float("nan")


@pytest.mark.parametrize(
    "kind, value, problem",
    [
        pytest.param(Person, {"name": "Ada"}, "is dict, or holds what", id="a dict for a model"),
        pytest.param(list[Person], [{"name": "Ada"}], "holds what", id="a dict for a model in a list"),
        pytest.param(Person, Line("pen"), "name: Field required", id="another class"),
        pytest.param(Person, _changed(Person(name="Ada"), age="36"), "age: is not of the type", id="a field set badly"),
        pytest.param(Person | int, "seven", "is str, or holds what", id="no member of a union"),
        pytest.param(Pet, Person(name="Ada"), "is Person, or holds what", id="no member of a tagged union"),
        pytest.param(Person, Person(name="a\0b"), "NUL", id="NUL"),
        pytest.param(Person, Person.model_construct(name="a\ud800"), "surrogate", id="a lone surrogate"),
        pytest.param(list[Person], [Person(name="a", weight=NAN)], "nan", id="NaN"),
        pytest.param(Household, Household(Person(name="a", weight=NAN)), "nan", id="NaN in a model in a dataclass"),
        pytest.param(Loose, Loose(value=NAN), "NaN or infinity", id="NaN as a constant"),
        pytest.param(
            Household,
            Household(cast(Any, Line("pen"))),
            "Field required - at `\\$.head`",
            id="another class in a dataclass",
        ),
        pytest.param(Household, Household(_changed(Person(name="Ada"), age="x")), "age", id="bad inside a dataclass"),
    ],
)
def test_what_would_not_come_back_is_refused_by_name(kind: Any, value: object, problem: str) -> None:
    with pytest.raises(InvalidArgument, match=problem) as caught:
        Payload(kind).encode(value, argument="outcome")

    assert caught.value.argument == "outcome"


def test_a_model_that_nests_too_deep_is_refused() -> None:
    tree = Tree(name="leaf")
    for _ in range(5_000):
        tree = Tree.model_construct(name="", branches=[tree])

    with pytest.raises(InvalidArgument, match="nests"):
        Payload(Tree).encode(tree)


def test_text_that_happens_to_look_like_a_masked_secret_is_kept() -> None:
    payload = Payload(Person)

    assert payload.decode(payload.encode(Person(name="*" * 10))).name == "*" * 10


class Card(pydantic.BaseModel):
    number: str
    codes: dict[str, int] = {}

    @pydantic.field_validator("number")
    @classmethod
    def is_long(cls, number: str) -> str:
        if len(number) < 12:
            raise ValueError(f"{number} is too short")
        return number


@dataclass
class Paid:
    card: Card
    colour: Literal["red", "blue"] = "red"


@pytest.mark.parametrize(
    "kind, text, words",
    [
        (Card, '{"number": "hush5678"}', "number: Value error, … is too short"),
        (Card, '{"number": ["hush5678"]}', "number: Input should be a valid string"),
        (Card, '{"number": "123456789012", "codes": {"hush5678": "x"}}', "codes.…: Input should be a valid integer"),
        (Pet, '{"kind": "hush5678"}', "does not match any of the expected tags: 'dog', 'cat'"),
        (Card, '{"number": "hush5678', "Invalid JSON"),
        (Paid, '{"card": {"number": "hush5678"}}', "number: Value error, … is too short - at `$.card`"),
        (Paid, '{"card": {"number": "123456789012"}, "colour": "hush5678"}', "Invalid enum value"),
    ],
)
def test_what_no_longer_fits_is_told_in_pydantic_s_words_without_the_values(kind: Any, text: str, words: str) -> None:
    with pytest.raises(UndecodablePayload) as caught:
        Payload(kind).decode(text)

    assert words in str(caught.value)
    assert "hush5678" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_many_errors_are_counted_not_told() -> None:
    wrong = json.dumps([{"barks": "x" * 50}] * 1_000)

    with pytest.raises(UndecodablePayload, match=r"\(and 997 more\)") as caught:
        Payload(list[Dog]).decode(wrong)

    assert len(str(caught.value)) < 1_000


class Bare:
    pass


class Arbitrary(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)
    bare: Bare


class Calls(pydantic.BaseModel):
    back: Callable[[int], int]


class MayCall(pydantic.BaseModel):
    back: Callable[[int], int] | int = 7
    hook: Callable[[int], int] | None = None
    type: str = ""


class Speaks(Protocol):
    def speak(self) -> str: ...


@dataclass
class Holds:
    bare: Bare


@dataclass
class HoldsChecked:
    checked: Checked


class Unfinished(pydantic.BaseModel):
    later: Later  # type: ignore[name-defined]  # noqa: F821  # pyright: ignore[reportUndefinedVariable]


@pytest.mark.parametrize(
    "kind, problem",
    [
        (Callable[[int], int], "nothing fits Callable"),
        (Callable, "nothing fits Callable"),
        (Bare, "nothing fits Bare"),
        (object, "nothing fits object"),
        (list[Bare], "nothing fits Bare"),
        (Bare | None, "nothing fits Bare"),
        (Bare | int, "custom type"),
        (Holds, "nothing fits Bare"),
        (dict[str, Holds], "nothing fits Bare"),
        (Speaks, "nothing fits Speaks"),
        (Iterator[int], "nothing fits Iterator"),
        (type[int], "nothing fits type"),
        (complex, "nothing fits complex"),
        (T, "type variable ~T"),
        (list[T], "type variable ~T"),  # type: ignore[valid-type]  # a mistake that annotations allow
        (Annotated[dict[str, T], "note"], "type variable ~T"),  # type: ignore[valid-type]  # likewise
        (Arbitrary, "nothing fits Bare"),
        (list[Arbitrary], "nothing fits Bare"),
        (Calls, "nothing fits a function"),
        (Person | Bare, "schema"),
        (HoldsChecked, "nothing fits Checked"),
        (Unfinished, "not fully defined"),
    ],
)
def test_a_type_as_which_nothing_can_be_read_is_refused_at_once(kind: Any, problem: str) -> None:
    with pytest.raises(InvalidArgument, match=problem) as caught:
        Payload(kind)

    assert caught.value.argument == "type"


def test_a_part_that_cannot_be_read_is_no_harm_where_there_is_another_way() -> None:
    payload = Payload(MayCall)

    assert payload.decode(payload.encode(MayCall(back=8, type="x"))).back == 8


def test_neither_pydantic_nor_cryptography_is_loaded_for_who_uses_neither() -> None:
    program = (
        "import sys, dataclasses, otelq.codec\n"
        "@dataclasses.dataclass\n"
        "class Line:\n    pieces: int\n"
        "payload = otelq.codec.Payload(list[Line])\n"
        "assert payload.decode(payload.encode([Line(7)])) == [Line(7)]\n"
        "print([name for name in ('pydantic', 'cryptography') if name in sys.modules])"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert finished.stdout.strip() == "[]"
