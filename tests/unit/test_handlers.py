"""Handlers as they are declared: shapes that can be called with one attempt, and shapes that are refused at once."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Protocol, TypeAlias, TypeVar
from unittest import mock

import pytest

import otelq
from otelq.testing import attempt as make_attempt

T = TypeVar("T")
Bound = TypeVar("Bound", bound=otelq.Attempt[Any])
OfInts: TypeAlias = otelq.Attempt[int]
declared = otelq.JobType("declared", input=int, output=int)


class Special(otelq.Attempt[int]):
    """An application's own name for its attempts."""


class HasInput(Protocol):
    input: int


@dataclass
class Mail:
    to: str


async def plain(attempt: otelq.Attempt[int]) -> int:
    return 1


def blocking(attempt: otelq.Attempt[int]) -> int:
    return 1


async def bare(attempt):  # type: ignore[no-untyped-def]  # pyright: ignore[reportMissingParameterType]  # on purpose
    return 1


async def with_default(attempt: otelq.Attempt[int], greeting: str = "") -> int:
    return 1


async def first_has_a_default(attempt: otelq.Attempt[int] | None = None) -> int:
    return 1


async def with_rest(attempt: otelq.Attempt[int], *rest: int, flag: bool = False, **options: int) -> int:
    return 1


async def rest_alone(*rest: otelq.Attempt[int]) -> int:
    return 1


async def by_position(attempt: otelq.Attempt[int], /) -> int:
    return 1


async def aliased(attempt: OfInts) -> int:
    return 1


async def subclassed(attempt: Special) -> int:
    return 1


async def unsubscripted(attempt: otelq.Attempt) -> int:  # type: ignore[type-arg]  # pyright: ignore[reportMissingTypeArgument]  # on purpose
    return 1


async def annotated_further(attempt: Annotated[otelq.Attempt[int], "a note"]) -> int:
    return 1


async def of_a_union(attempt: otelq.Attempt[int] | otelq.Attempt[str]) -> int:
    return 1


async def of_anything(attempt: Any) -> int:
    return 1


async def of_an_object(attempt: object) -> int:
    return 1


async def of_a_variable(attempt: T) -> T:
    return attempt


async def of_a_bound_variable(attempt: Bound) -> Bound:
    return attempt


async def of_a_protocol(attempt: HasInput) -> int:
    return 1


async def of_a_later_class(attempt: otelq.Attempt[DefinedLater]) -> int:
    return 1


async def of_an_unknown_name(attempt: Nowhere) -> int:  # type: ignore[name-defined]  # pyright: ignore[reportUndefinedVariable]  # noqa: F821  # on purpose
    return 1


async def in_quotes(attempt: "otelq.Attempt[int]") -> int:  # noqa: UP037  # on purpose
    return 1


async def needs_two(attempt: otelq.Attempt[int], session: object) -> int:
    return 1


async def needs_three(one: int, two: int, three: int) -> int:
    return 1


async def takes_the_attempt_last(session: object, attempt: otelq.Attempt[int]) -> int:
    return 1


async def needs_a_keyword(attempt: otelq.Attempt[int], *, session: object) -> int:
    return 1


async def nothing() -> int:
    return 1


async def keywords_alone(**options: int) -> int:
    return 1


async def of_its_input(mail: Mail) -> int:
    return 1


async def of_a_number(number: int) -> int:
    return 1


async def of_a_list(attempts: list[otelq.Attempt[int]]) -> int:
    return 1


async def of_none(attempt: None) -> int:
    return 1


def counted(handler: Callable[..., Any]) -> Any:
    @functools.wraps(handler)
    async def wrapper(*given: Any, **options: Any) -> Any:
        return await handler(*given, **options)

    return wrapper


def with_session(handler: Callable[..., Any]) -> Any:
    @functools.wraps(handler)
    async def wrapper(attempt: otelq.Attempt[Any]) -> Any:
        return await handler(attempt, "a session")

    return wrapper


def with_its_input(handler: Callable[..., Any]) -> Any:
    @functools.wraps(handler)
    async def wrapper(mail: otelq.Attempt[Mail]) -> Any:
        return await handler(mail.input)

    return wrapper


class Proxy:
    """A callable that shows itself as the function inside, as libraries for decorators do."""

    def __init__(self, wrapped: Callable[..., Any]) -> None:
        self.__wrapped__ = wrapped
        self.__signature__ = inspect.signature(wrapped)

    async def __call__(self, *given: Any) -> Any:
        return await self.__wrapped__(*given, "a session")


class Sender(Generic[T]):
    """A handler that is an object, and methods that are handlers when they are bound."""

    async def __call__(self, attempt: otelq.Attempt[int]) -> int:
        return 1

    async def send(self, attempt: otelq.Attempt[int]) -> int:
        return 1

    async def alone(self) -> int:
        return 1

    @counted
    async def counted(self, attempt: otelq.Attempt[int]) -> int:
        return 1

    @classmethod
    async def of_class(cls, attempt: otelq.Attempt[int]) -> int:
        return 1

    @staticmethod
    async def of_nothing(attempt: otelq.Attempt[int]) -> int:
        return 1

    async def without_self(attempt: otelq.Attempt[int]) -> int:  # type: ignore[misc]  # pyright: ignore[reportSelfClsParameterName]  # on purpose
        return 1


A_LAMBDA: Callable[[otelq.Attempt[int]], int] = lambda attempt: 1  # noqa: E731  # on purpose

ACCEPTED: dict[str, Any] = {
    "async def": plain,
    "def": blocking,
    "without annotations": bare,
    "a default": with_default,
    "a default for the attempt": first_has_a_default,
    "more arguments": with_rest,
    "any arguments": rest_alone,
    "by position": by_position,
    "an alias": aliased,
    "a subclass": subclassed,
    "no subscript": unsubscripted,
    "annotated further": annotated_further,
    "a union": of_a_union,
    "any": of_anything,
    "object": of_an_object,
    "a type variable": of_a_variable,
    "a bound type variable": of_a_bound_variable,
    "a protocol": of_a_protocol,
    "a class that is defined later": of_a_later_class,
    "an unknown name": of_an_unknown_name,
    "in quotes": in_quotes,
    "a lambda": A_LAMBDA,
    "a partial by name": functools.partial(with_default, greeting="hello"),
    "a partial with the rest": functools.partial(needs_two, session=1),
    "a partial with the keyword": functools.partial(needs_a_keyword, session=1),
    "a partial by position": functools.partial(takes_the_attempt_last, "a session"),
    "a partial of a wrapper": functools.partial(with_its_input(of_its_input)),
    "an object": Sender(),
    "a bound method": Sender().send,
    "a bound and decorated method": Sender().counted,
    "a method of a class": Sender.of_class,
    "a static method of a class": Sender.of_nothing,
    "a function of a class": Sender.__dict__["without_self"],
    "decorated": counted(plain),
    "decorated twice": counted(counted(plain)),
    "given more by its decorator": with_session(needs_two),
    "given something else by its decorator": with_its_input(of_its_input),
    "a proxy": Proxy(needs_two),
    "a mock": mock.AsyncMock(return_value=1),
    "a function in C": print,
    "another job type": otelq.Jobs().job("other")(plain),
}

REFUSED: dict[str, tuple[Any, str]] = {
    "two arguments": (needs_two, "missing a required argument: 'session'"),
    "a keyword": (needs_a_keyword, "missing a required (keyword-only )?argument: 'session'"),
    "no argument": (nothing, "too many positional arguments"),
    "keywords alone": (keywords_alone, "too many positional arguments"),
    "a lambda without arguments": (lambda: 1, "too many positional arguments"),
    "a partial that is full": (functools.partial(plain, make_attempt(1)), "too many positional arguments"),
    "a partial with the attempt by name": (
        functools.partial(plain, attempt=make_attempt(1)),
        "too many positional arguments",
    ),
    "decorated with one more": (functools.partial(needs_three, 1), "missing a required argument"),
    "a method": (Sender.send, "a method without its object"),
    "a method with its object alone": (Sender.alone, "a method without its object"),
    "a decorated method": (Sender.__dict__["counted"], "a method without its object"),
    "a bound method with its object alone": (Sender().alone, "too many positional arguments"),
    "a class": (Sender, "is a class"),
    "a class without __call__": (Mail, "is a class"),
    "a static method in its class": (Sender.__dict__["of_nothing"], "is a staticmethod"),
    "a class method in its class": (Sender.__dict__["of_class"], "is a classmethod"),
    "its input": (of_its_input, r"takes mail: .*Mail, which is no Attempt"),
    "a number": (of_a_number, "takes number: int, which is no Attempt"),
    "a list of attempts": (of_a_list, r"takes attempts: list\[.*\], which is no Attempt"),
    "none": (of_none, "takes attempt: .*None.*, which is no Attempt"),
    "text": ("plain", "cannot be called"),
}


class DefinedLater:
    """Named by a handler above."""


@pytest.mark.parametrize("shape", ACCEPTED)
def test_a_handler_that_takes_one_attempt_is_accepted(shape: str) -> None:
    otelq.Jobs().job("any")(ACCEPTED[shape])
    otelq.Jobs().handles(declared)(ACCEPTED[shape])


@pytest.mark.parametrize("shape", ACCEPTED.keys() - {"a function in C"})
async def test_an_accepted_handler_can_be_called_with_an_attempt(shape: str) -> None:
    assert await otelq.Jobs().job("any")(ACCEPTED[shape])(make_attempt(1)) is not None


@pytest.mark.parametrize("shape", REFUSED)
def test_a_handler_that_cannot_be_called_with_an_attempt_is_refused_at_once(shape: str) -> None:
    handler, problem = REFUSED[shape]
    for declare in (otelq.Jobs().job("any"), otelq.Jobs().handles(declared)):
        with pytest.raises(otelq.InvalidArgument, match=problem) as caught:
            declare(handler)
        assert caught.value.argument == "handler"


@pytest.mark.parametrize("shape", ["two arguments", "a keyword", "no argument", "a method", "a class", "its input"])
def test_the_refusal_names_the_signature_that_is_needed(shape: str) -> None:
    with pytest.raises(otelq.InvalidArgument, match=r"write it as \(attempt: Attempt\[In\]\) -> Out"):
        otelq.Jobs().job("any")(REFUSED[shape][0])


def test_nothing_is_declared_by_a_refused_handler() -> None:
    jobs = otelq.Jobs()
    with pytest.raises(otelq.InvalidArgument):
        jobs.job("any")(REFUSED["two arguments"][0])
    assert len(jobs) == 0
