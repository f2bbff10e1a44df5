"""However large or odd a payload is, it is refused soon, and what is said of it is short and shows no value."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otelq.codec import MAX_DEPTH, Payload, check_json
from otelq.codec.error_text import LONGEST
from otelq.errors import InvalidArgument, UndecodablePayload


class Talkative(pydantic.BaseModel):
    items: list[str]
    number: Any = None

    @pydantic.model_validator(mode="after")
    def refuse(self) -> Talkative:
        raise ValueError(f"bad {' '.join(self.items)}")


@dataclass
class Quoting:
    items: list[str]

    def __post_init__(self) -> None:
        raise ValueError(f"bad {' '.join(self.items)}")


@pytest.mark.parametrize("kind", [Talkative, Quoting])
def test_a_validator_that_repeats_the_whole_payload_is_not_quoted(kind: Any) -> None:
    text = json.dumps({"items": [f"secret{n}" for n in range(20_000)]})

    with pytest.raises(UndecodablePayload, match=r"a message of \d\d\d,\d\d\d characters") as caught:
        Payload(kind).decode(text)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("kind", [Talkative, Quoting])
def test_no_line_of_a_value_is_quoted(kind: Any) -> None:
    with pytest.raises(UndecodablePayload, match="bad …") as caught:
        Payload(kind).decode('{"items": ["hush5678\\nmore"]}')

    assert "hush" not in str(caught.value)


def test_a_number_that_only_pydantic_takes_does_not_uncover_the_values() -> None:
    with pytest.raises(UndecodablePayload, match="bad …") as caught:
        Payload(Talkative).decode('{"items": ["hush5678"], "number": ' + "9" * 400 + "}")

    assert "hush" not in str(caught.value)


def test_what_cannot_be_written_is_named_in_a_bounded_text() -> None:
    long_named = type("x" * 100_000, (), {})

    with pytest.raises(InvalidArgument, match="cannot be written as JSON") as caught:
        Payload(Any).encode(long_named())

    assert len(str(caught.value)) < 2 * LONGEST


def _deep(levels: int, leaf: object) -> object:
    for _ in range(levels):
        leaf = {"a": leaf}
    return leaf


def _on_a_deep_stack(call: Callable[[], object], *, frames: int = 700) -> object:
    return call() if frames == 0 else _on_a_deep_stack(call, frames=frames - 1)


def test_the_path_of_a_field_is_cut() -> None:
    with pytest.raises(InvalidArgument, match="is tuple and would come back as list") as caught:
        Payload(Any).encode(_deep(200, (1,)))

    assert len(str(caught.value)) < 2 * LONGEST


def test_a_comparison_too_deep_for_the_stack_is_a_refusal() -> None:
    with pytest.raises(InvalidArgument, match="nests too deep to be compared"):
        _on_a_deep_stack(lambda: Payload(Any).encode(_deep(240, (1,))))


def test_floats_that_grow_beyond_the_limit_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="over the limit of 1,024"):
        Payload(Any).encode([1e300] * 100, limit=1_024)


@given(st.lists(st.integers(1, MAX_DEPTH + 20), min_size=1, max_size=5))
def test_depth_is_counted_however_wide_a_payload_is(depths: list[int]) -> None:
    chains = ",".join("[" * depth + '"]["' + "]" * depth for depth in depths)
    data = f"[{chains}, [], {{}}]".encode()

    if max(depths) < MAX_DEPTH:
        check_json(data, argument="input")
    else:
        with pytest.raises(InvalidArgument, match="nests deeper"):
            check_json(data, argument="input")
