"""What is written can be read back as the same value, or is refused when it is written: pydantic's types."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any
from uuid import UUID

import pydantic
import pydantic.dataclasses
import pytest
from pydantic import BaseModel, Field

from otelq.codec import Payload
from otelq.errors import InvalidArgument

from .shapes import Cached, Camel, Computed, Extra, Handle, Handled, Ingested, Line
from .test_readback import Cents, Markup, Moment, Rows


class Order(BaseModel):
    amount: int = Field(default=0, validation_alias=pydantic.AliasChoices("amount_cents", "cents"))


class Basket(BaseModel):
    orders: list[Order]


@dataclass
class Desk:
    order: Order
    place: int = 1


ORDER = Order(amount_cents=1999)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # by alias


@pytest.mark.parametrize("kind, value", [(Order, ORDER), (Basket, Basket(orders=[ORDER])), (Desk, Desk(ORDER))])
def test_a_field_that_is_read_by_another_alias_than_it_is_written_by_comes_back(kind: Any, value: object) -> None:
    payload = Payload(kind)

    assert payload.decode(payload.encode(value)) == value


def test_a_field_that_is_written_by_an_alias_that_is_not_read_comes_back() -> None:
    payload = Payload(Ingested)
    value = Ingested(zipIn="89073", address={"city": "Ulm"})  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # by alias

    assert payload.decode(payload.encode(value)) == value


def test_a_payload_that_was_stored_by_its_aliases_is_still_read() -> None:
    assert Payload(Order).decode('{"cents": 7}').amount == 7
    assert Payload(Order).decode('{"amount": 8}').amount == 8


def test_a_model_that_is_read_by_its_aliases_is_stored_under_them() -> None:
    assert json.loads(Payload(Camel).encode(Camel(user_name="ada")))["userName"] == "ada"


def test_what_is_computed_is_not_stored() -> None:
    assert Payload(Computed).encode(Computed(width=3)) == '{"width":3}'
    assert json.loads(Payload(Extra).encode(Extra(a=1, b=2))) == {"a": 1, "b": 2}  # type: ignore[call-arg]  # extra="allow"


class Partly(BaseModel):
    shown: int = 1
    hidden: int = Field(default=2, exclude=True)
    when: Any = Field(default=None, exclude=True)


class Shouting(BaseModel):
    text: str

    @pydantic.field_validator("text", mode="before")
    @classmethod
    def shout(cls, text: str) -> str:
        return f"{text}!"


class Wrapped(BaseModel):
    text: str

    @pydantic.field_validator("text", mode="wrap")
    @classmethod
    def twice(cls, text: str, handler: pydantic.ValidatorFunctionWrapHandler) -> str:
        return f"{handler(text)}{handler(text)}"


class Counting(BaseModel):
    number: int

    @pydantic.model_validator(mode="after")
    def count(self) -> Counting:
        self.number += 1
        return self


class Moved(BaseModel):
    number: int

    @pydantic.model_validator(mode="before")
    @classmethod
    def move(cls, values: Any) -> Any:
        return {"number": values["number"] * 2}


class Daily(BaseModel):
    at: datetime

    @pydantic.field_serializer("at")
    def day(self, at: datetime) -> str:
        return at.date().isoformat()


class First(BaseModel):
    x: int = 0


class Second(BaseModel):
    x: int = 0
    y: int = 0


class Third(First):
    z: int = 0


class Holder(BaseModel):
    one: First
    any: Any = None
    as_it_is: pydantic.SerializeAsAny[First] | None = None


class Account(BaseModel):
    id: int
    name: str = Field(default="", exclude=True)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Account) and self.id == other.id

    __hash__ = None  # type: ignore[assignment]


class Either(BaseModel):
    key: str | UUID = ""
    at: str | datetime = ""


class Hidden(BaseModel):
    password: pydantic.SecretStr | None = None


class Base64(BaseModel):
    model_config = pydantic.ConfigDict(ser_json_bytes="base64")
    data: bytes


@pydantic.dataclasses.dataclass
class Tripled:
    number: int

    def __post_init__(self) -> None:
        self.number *= 3


def assigned(model: Any, **fields: object) -> Any:
    for name, value in fields.items():
        setattr(model, name, value)
    return model


@pytest.mark.parametrize(
    "kind, value, problem",
    [
        pytest.param(Partly, Partly(hidden=7), "hidden would come back as another value", id="excluded"),
        pytest.param(Shouting, Shouting(text="a"), "text would come back as another value", id="a before validator"),
        pytest.param(Wrapped, Wrapped(text="a"), "text would come back as another value", id="a wrap validator"),
        pytest.param(Counting, Counting(number=1), "number would come back as another value", id="an after validator"),
        pytest.param(Moved, Moved(number=1), "number would come back as another value", id="a model validator"),
        pytest.param(Tripled, Tripled(1), "number would come back as another value", id="a dataclass of pydantic's"),
        pytest.param(
            Daily, Daily(at=datetime(2026, 1, 2, 3, tzinfo=UTC)), "at would come back as another", id="a serializer"
        ),
        pytest.param(First | Second, Third(x=1), "is Third", id="a subclass of a member of a union"),
        pytest.param(Holder, Holder(one=Third(z=7)), "one is Third and would come back as First", id="a subclass"),
        pytest.param(
            Holder, Holder(one=First(), as_it_is=Third()), "as_it_is is Third and would", id="a subclass as it is"
        ),
        pytest.param(Holder, Holder(one=First(), any=First()), "any is First and would come back as dict", id="any"),
        pytest.param(
            list[Holder],
            [Holder(one=First(), any={"a": [date(2026, 1, 2)]})],
            r"\[0\].any\[…\]\[0\] is date and would",
            id="a date for anything",
        ),
        pytest.param(Account, Account(id=1, name="a"), "name would come back as another", id="equal by id only"),
        pytest.param(Either, Either(key=str(UUID(int=1))), "key is str and would come back as UUID", id="str | UUID"),
        pytest.param(Either, Either(at=datetime(2026, 1, 2)), "at is datetime and would come", id="str | datetime"),
        pytest.param(Hidden, Hidden(password=pydantic.SecretStr("hush")), "secrets as asterisks", id="a secret"),
        pytest.param(Base64, Base64(data=b"abc"), "data would come back as another value", id="bytes one way"),
        pytest.param(
            Camel, assigned(Camel(user_name="ada"), user_name=None), "userName: Input should be", id="assigned badly"
        ),
        pytest.param(Desk, Desk(assigned(Order(), amount="7")), "amount", id="assigned badly in a dataclass"),
        pytest.param(Extra, Extra(a=1, b=(1,)), "is tuple and would come back as list", id="extra"),  # type: ignore[call-arg]  # extra="allow"
    ],
)
def test_what_would_come_back_as_another_value_is_refused_by_its_path(kind: Any, value: object, problem: str) -> None:
    with pytest.raises(InvalidArgument, match=problem) as caught:
        Payload(kind).encode(value, argument="outcome")

    assert caught.value.argument == "outcome"
    assert "hush" not in str(caught.value)


def test_a_model_whose_excluded_fields_have_their_defaults_comes_back() -> None:
    assert Payload(Partly).decode(Payload(Partly).encode(Partly(shown=7))) == Partly(shown=7)


class NeedsHidden(BaseModel):
    needed: int = Field(exclude=True)


class HasSecret(BaseModel):
    password: pydantic.SecretStr


class HasSecrets(BaseModel):
    keys: list[pydantic.SecretBytes]


class Ordered(BaseModel):
    order: OrderedDict[str, int]


@pytest.mark.parametrize(
    "kind, problem",
    [
        (NeedsHidden, "the field needed is excluded from what is written, and has no default"),
        (list[NeedsHidden], "the field needed is excluded"),
        (HasSecret, "SecretStr is written as asterisks; give the field a serializer"),
        (HasSecrets, "SecretBytes is written as asterisks"),
        (pydantic.SecretStr, "SecretStr is written as asterisks"),
        (Ordered, "has an order, which PostgreSQL does not keep"),
    ],
)
def test_a_type_that_cannot_come_back_is_refused_when_it_is_declared(kind: Any, problem: str) -> None:
    with pytest.raises(InvalidArgument, match=problem) as caught:
        Payload(kind)

    assert caught.value.argument == "type"


class Whole(BaseModel):
    needed: int = Field(exclude=True)
    password: pydantic.SecretStr

    @pydantic.model_serializer
    def written(self) -> dict[str, Any]:
        return {"needed": self.needed, "password": self.password.get_secret_value()}


def test_a_model_that_writes_itself_may_hold_what_pydantic_would_not_write() -> None:
    value = Whole(needed=1, password=pydantic.SecretStr("abc"))

    assert Payload(Whole).decode(Payload(Whole).encode(value)) == value


class Text(BaseModel):
    text: str
    number: int
    at: datetime
    key: UUID
    items: list[str]
    more: Any = None


def test_values_of_subclasses_of_built_in_types_are_stored_as_their_base_values() -> None:
    payload = Payload(Text)
    value = Text.model_construct(
        text=Markup("a"),
        number=Cents(7),
        at=Moment(2026, 1, 2),
        key=UUID(int=1),
        items=Rows([Markup("b")]),
        more=[Markup("c")],
    )

    got = payload.decode(payload.encode(value))

    assert got == Text(text="a", number=7, at=datetime(2026, 1, 2), key=UUID(int=1), items=["b"], more=["c"])
    assert type(got.text) is type(got.more[0]) is str


class Held(BaseModel):
    handle: Handled


def test_a_class_without_a_comparison_of_its_own_is_not_refused_for_that() -> None:
    payload = Payload(Held)

    assert payload.decode(payload.encode(Held(handle=Handle(7)))).handle.number == 7


class Random(BaseModel):
    handle: Annotated[Handled, pydantic.AfterValidator(lambda handle: Handle(handle.number + 1))]


def test_a_class_without_a_comparison_is_compared_by_what_is_written() -> None:
    with pytest.raises(InvalidArgument, match="is written in another way"):
        Payload(Random).encode(Random(handle=Handle(7)))


def test_private_attributes_are_no_part_of_a_value() -> None:
    assert Payload(Cached).decode(Payload(Cached).encode(Cached(a=7))).a == 7


def test_a_line_may_stand_beside_models_by_any_alias() -> None:
    payload = Payload(Ingested | Line)

    assert payload.decode(payload.encode(Line("pen"))) == Line("pen")
