from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otelq.errors import InvalidArgument
from otelq.retry_policy import LONGEST_DELAY, RetryPolicy, exception_classes_of

fractions = st.floats(0, 1)
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

    delays = [policy.delay(attempt, random_fraction=0.5) for attempt in (1, 2, 3, 9, 10, 11, 50)]

    assert delays == [1, 2, 4, 256, 512, 600, 600]


def test_jitter_spreads_evenly_around_the_delay() -> None:
    policy = RetryPolicy(initial=100, jitter=0.25)

    assert [policy.delay(1, random_fraction=fraction) for fraction in (0, 0.25, 0.5, 1)] == [75, 87.5, 100, 125]


def test_no_initial_delay_means_none_ever() -> None:
    assert RetryPolicy(initial=0, factor=10).delay(400, random_fraction=1) == 0


def test_a_huge_attempt_waits_the_longest_delay() -> None:
    assert RetryPolicy(factor=1000, jitter=0).delay(10**6, random_fraction=0.5) == 600


@given(policies, attempts, fractions)
def test_a_delay_is_never_negative_nor_over_the_spread_maximum(
    policy: RetryPolicy, attempt: int, fraction: float
) -> None:
    assert 0 <= policy.delay(attempt, random_fraction=fraction) <= policy.max * (1 + policy.jitter) * (1 + 1e-9)


@given(policies, attempts, fractions)
def test_delays_never_shrink_from_attempt_to_attempt(policy: RetryPolicy, attempt: int, fraction: float) -> None:
    assert policy.delay(attempt, random_fraction=fraction) <= policy.delay(attempt + 1, random_fraction=fraction)


@given(policies, attempts)
def test_a_larger_random_fraction_is_more_delay(policy: RetryPolicy, attempt: int) -> None:
    assert policy.delay(attempt, random_fraction=0) <= policy.delay(attempt, random_fraction=1)


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
        ("max", LONGEST_DELAY + 1),
        ("jitter", -0.1),
        ("jitter", 1.1),
        ("jitter", float("nan")),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(InvalidArgument, match=name) as caught:
        RetryPolicy(**{name: value})

    assert caught.value.argument == name


# A back-off of one's own


def test_a_fixed_delay_is_a_factor_of_one() -> None:
    policy = RetryPolicy(initial=30, factor=1, jitter=0)

    assert {policy.delay(attempt, random_fraction=0.7) for attempt in range(1, 200)} == {30}


def test_a_back_off_of_ones_own_gives_the_delay_by_the_attempt_and_jitter_applies() -> None:
    policy = RetryPolicy(backoff=lambda attempt: 1000.0 * attempt, max=1, jitter=0.5)

    delays = [policy.delay(attempt, random_fraction=fraction) for attempt, fraction in ((1, 0.5), (3, 0.5), (2, 0))]

    assert delays == [1000, 3000, 1000]


def breaks(attempt: int) -> float:
    raise ZeroDivisionError


def gives(value: Any) -> Callable[[int], Any]:
    return lambda _: value


@pytest.mark.parametrize(
    "backoff", [breaks, *map(gives, [-1, LONGEST_DELAY + 1, float("nan"), float("inf"), None, "5", True])]
)
def test_a_back_off_that_gives_no_delay_is_logged_and_the_exponential_one_counts(
    backoff: Callable[[int], Any], caplog: pytest.LogCaptureFixture
) -> None:
    policy = RetryPolicy(backoff=backoff, initial=2, jitter=0)

    assert policy.delay(3, random_fraction=0.5) == 8
    assert ["backoff(3)" in record.getMessage() for record in caplog.records] == [True]


# Rules for certain exceptions

SOON, LATE = RetryPolicy(initial=1), RetryPolicy(initial=100)


@pytest.mark.parametrize(
    "error, expected",
    [
        (KeyError(), SOON),
        (IndexError(), LATE),
        (LookupError(), LATE),
        (UnicodeDecodeError("utf-8", b"", 0, 1, ""), None),
        (ValueError(), None),
        (TypeError(), "itself"),
    ],
)
def test_the_class_nearest_to_the_exceptions_own_wins(error: Exception, expected: Any) -> None:
    policy = RetryPolicy(fail_on=(ValueError,), rules={LookupError: LATE, KeyError: SOON})

    assert policy.for_exception(exception_classes_of(error)) == (policy if expected == "itself" else expected)


def test_the_nearest_class_wins_over_one_that_ends_the_job_and_the_reverse() -> None:
    policy = RetryPolicy(fail_on=(LookupError, UnicodeError), rules={KeyError: SOON, ValueError: LATE})

    assert policy.for_exception(exception_classes_of(KeyError())) is SOON
    assert policy.for_exception(exception_classes_of(IndexError())) is None
    assert policy.for_exception(exception_classes_of(UnicodeError())) is None


def test_classes_that_are_not_at_hand_are_known_by_their_names() -> None:
    policy = RetryPolicy(fail_on=(InvalidArgument,), rules={KeyError: SOON})

    assert policy.for_exception(["KeyError", "LookupError"]) is SOON
    assert policy.for_exception(["otelq.errors.InvalidArgument", "KeyError"]) is None
    assert policy.for_exception(["elsewhere.KeyError"]) is policy


def test_a_policy_with_rules_is_equal_to_its_like_and_can_be_hashed() -> None:
    one, two = RetryPolicy(rules={KeyError: SOON}), RetryPolicy(rules={KeyError: SOON})

    assert (one, hash(one)) == (two, hash(two))
    assert one != RetryPolicy(rules={KeyError: LATE})


@pytest.mark.parametrize(
    "name, value",
    [
        ("backoff", 5),
        ("fail_on", ValueError),
        ("fail_on", "ValueError"),
        ("fail_on", ("ValueError",)),
        ("fail_on", (int,)),
        ("rules", [KeyError]),
        ("rules", {"KeyError": SOON}),
        ("rules", {KeyError: 5}),
        ("rules", {KeyError: RetryPolicy(fail_on=(ValueError,))}),
        ("rules", {KeyError: RetryPolicy(rules={ValueError: SOON})}),
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        RetryPolicy(**{name: value})

    assert caught.value.argument == name


def test_an_exception_cannot_both_end_the_job_and_have_a_policy() -> None:
    with pytest.raises(InvalidArgument, match="so does fail_on"):
        RetryPolicy(fail_on=(KeyError,), rules={KeyError: SOON})
