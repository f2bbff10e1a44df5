"""Which continuations are refused when they happen: those into a type whose output is surely another one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import IntEnum
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import pytest

import otelq
from otelq.definitions.continuation_types import check_continuation


@dataclass
class Animal:
    name: str


@dataclass
class Cat(Animal):
    lives: int


class Tom(Cat):
    pass


class Level(IntEnum):
    LOW = 1


class Pair(NamedTuple):
    left: int


class Row(TypedDict):
    id: int


PASSES: list[tuple[Any, Any]] = [
    (int, int),
    (int, float),
    (Level, int),
    (int, int | str),
    (Literal["a", "b"], str),
    (Annotated[int, "positive"], int),
    (str | None, None | str | int),
    (list[int], list[str]),
    (list[int], Sequence[int]),
    (Row, dict[str, int]),
    (Cat, Any),
    (Any, int),
]
REFUSED: list[tuple[Any, Any]] = [
    (int, str),
    (Animal, Cat),
    (Cat, Animal),
    (bool, int),
    (bool, float),
    (datetime, date),
    (Tom, Cat),
    (float, int),
    (int | str, int),
    (str | None, str),
    (Literal["a", 1], str),
    (list[int], dict[str, int]),
    (Cat, Pair),
    (Row, Cat),
    (Annotated[str, "short"], int),
]


def types(found: Any, wanted: Any) -> tuple[otelq.JobType[Any, Any], otelq.JobType[Any, Any]]:
    return otelq.JobType("found", input=int, output=found), otelq.JobType("wanted", input=int, output=wanted)


@pytest.mark.parametrize("found, wanted", PASSES)
def test_what_may_be_the_chains_output_passes(found: Any, wanted: Any) -> None:
    target, of = types(found, wanted)
    check_continuation(target, of=of, argument="continuation")


def test_nothing_passes_for_what_may_be_nothing() -> None:
    nothing = otelq.JobType[int, None]("nothing")
    check_continuation(nothing, of=otelq.JobType[int, str | None]("perhaps"), argument="continuation")
    with pytest.raises(otelq.InvalidArgument):
        check_continuation(nothing, of=otelq.JobType[int, str]("text"), argument="continuation")


@pytest.mark.parametrize("found, wanted", REFUSED)
def test_what_is_surely_another_output_is_refused_and_both_are_named(found: Any, wanted: Any) -> None:
    target, of = types(found, wanted)
    with pytest.raises(otelq.InvalidArgument, match=r"'found'.*'wanted'") as error:
        check_continuation(target, of=of, argument="continuation")
    assert error.value.argument == "continuation"
