from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otelq.errors import InvalidArgument
from otelq.schedule import LONGEST, RetryPolicy

spreads = st.floats(0, 1)
attempts = st.integers(1, 10_000)
policies = st.builds(
    RetryPolicy,
    max_attempts=st.none() | st.integers(1, 1000),
    initial=st.floats(0, 1000),
    factor=st.floats(1, 100),
    max=st.floats(0, 10_000),
    jitter=st.floats(0, 1),
)


def test_the_default_doubles_from_a_second_to_ten_minutes() -> None:
    policy = RetryPolicy()

    delays = [policy.delay(attempt, spread=0.5) for attempt in (1, 2, 3, 9, 10, 11, 50)]

    assert delays == [1, 2, 4, 256, 512, 600, 600]


def test_jitter_spreads_evenly_around_the_delay() -> None:
    policy = RetryPolicy(initial=100, jitter=0.25)

    assert [policy.delay(1, spread=spread) for spread in (0, 0.25, 0.5, 1)] == [75, 87.5, 100, 125]


def test_no_initial_delay_means_none_ever() -> None:
    assert RetryPolicy(initial=0, factor=10).delay(400, spread=1) == 0


def test_a_huge_attempt_waits_the_longest_delay() -> None:
    assert RetryPolicy(factor=1000, jitter=0).delay(10**6, spread=0.5) == 600


@given(policies, attempts, spreads)
def test_a_delay_is_never_negative_nor_over_the_spread_maximum(
    policy: RetryPolicy, attempt: int, spread: float
) -> None:
    assert 0 <= policy.delay(attempt, spread=spread) <= policy.max * (1 + policy.jitter) * (1 + 1e-9)


@given(policies, attempts, spreads)
def test_delays_never_shrink_from_attempt_to_attempt(policy: RetryPolicy, attempt: int, spread: float) -> None:
    assert policy.delay(attempt, spread=spread) <= policy.delay(attempt + 1, spread=spread)


@given(policies, attempts)
def test_more_spread_is_more_delay(policy: RetryPolicy, attempt: int) -> None:
    assert policy.delay(attempt, spread=0) <= policy.delay(attempt, spread=1)


@pytest.mark.parametrize(
    "most, attempt, spent",
    [(1, 1, True), (3, 2, False), (3, 3, True), (3, 4, True), (None, 10**9, False)],
)
def test_attempts_are_spent_at_the_maximum(most: int | None, attempt: int, spent: bool) -> None:
    assert RetryPolicy(max_attempts=most).is_spent(attempt) is spent


@pytest.mark.parametrize(
    "name, value",
    [
        ("max_attempts", 0),
        ("max_attempts", -1),
        ("initial", -0.001),
        ("initial", float("nan")),
        ("initial", float("inf")),
        ("factor", 0.999),
        ("factor", float("inf")),
        ("max", -1),
        ("max", LONGEST + 1),
        ("jitter", -0.1),
        ("jitter", 1.1),
        ("jitter", float("nan")),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(InvalidArgument, match=name) as caught:
        RetryPolicy(**{name: value})

    assert caught.value.argument == name
