"""What an attempt comes to: the handler's exception and the engine's reason, read as an outcome."""

from __future__ import annotations

import asyncio

import pytest

import otelq
from otelq.definitions import Definition
from otelq.model import Blocks, CancelReason, Fails, Failure, OnFailure, Outcome, Releases, Retries, Snoozes, Until
from otelq.worker.outcomes import outcome_of_exception


async def handler(attempt: otelq.Attempt[None]) -> None: ...


POLICY = otelq.RetryPolicy(max_attempts=3, initial=10, jitter=0)
CANCELLED = asyncio.CancelledError()


def outcome(
    error: BaseException, *, attempt: int = 1, reason: CancelReason | None = None, retry: otelq.RetryPolicy = POLICY
) -> Outcome | None:
    jobs = otelq.Jobs()
    jobs.job("job", retry=retry, timeout=7)(handler)
    [definition] = jobs
    assert isinstance(definition, Definition)
    return outcome_of_exception(error, definition=definition, attempt=attempt, reason=reason, random_fraction=0.5)


def failure(found: Outcome | None) -> Failure:
    assert isinstance(found, Retries | Fails)
    return found.failure


@pytest.mark.parametrize("attempt, delay", [(1, 10.0), (2, 20.0)])
def test_an_exception_is_retried_by_the_policy(attempt: int, delay: float) -> None:
    found = outcome(ValueError("no"), attempt=attempt)
    assert isinstance(found, Retries)
    assert found.delay == delay


def test_the_last_attempt_fails() -> None:
    assert isinstance(outcome(ValueError("no"), attempt=3), Fails)
    assert isinstance(outcome(otelq.RetryAfter(1), attempt=3), Fails)


def test_a_decision_of_the_handler_is_taken_as_it_is() -> None:
    assert outcome(otelq.Snooze(5), attempt=3) == Snoozes(5.0)
    assert outcome(otelq.Fail("closed")) == Fails(Failure("otelq.Fail", "closed"))
    retried = outcome(otelq.RetryAfter(5))
    assert isinstance(retried, Retries)
    assert retried.delay == 5.0


def test_retry_after_tells_of_the_error_behind_it() -> None:
    error = otelq.RetryAfter(5)
    error.__cause__ = ConnectionError("down")
    assert failure(outcome(error)).type == "ConnectionError"


@pytest.mark.parametrize("error", [CANCELLED, ValueError("no"), otelq.Fail("no"), otelq.Snooze(1)])
@pytest.mark.parametrize("reason", [CancelReason.LEASE_LOST, CancelReason.CANCELLED])
def test_a_job_that_is_no_longer_ours_has_no_outcome(error: BaseException, reason: CancelReason) -> None:
    assert outcome(error, reason=reason) is None


@pytest.mark.parametrize("error", [CANCELLED, ValueError("no"), otelq.Snooze(1)])
def test_a_timeout_is_a_failed_attempt_whatever_the_handler_raised(error: BaseException) -> None:
    assert failure(outcome(error, reason=CancelReason.TIMEOUT)).text == "the attempt took longer than 7 seconds"


def test_a_shutdown_releases_but_what_the_handler_decided_counts() -> None:
    assert outcome(CANCELLED, reason=CancelReason.SHUTDOWN) == Releases()
    assert isinstance(outcome(ValueError("no"), reason=CancelReason.SHUTDOWN), Retries)
    assert outcome(otelq.Snooze(1), reason=CancelReason.SHUTDOWN) == Snoozes(1.0)


def test_a_cancel_that_nobody_asked_for_is_a_failed_attempt() -> None:
    assert failure(outcome(CANCELLED)).type == "asyncio.exceptions.CancelledError"


def test_several_errors_in_one_are_told_together() -> None:
    text = failure(outcome(ExceptionGroup("both", [ValueError("one"), KeyError("two")]))).text
    assert "one" in text
    assert "two" in text


# Waiting for chains


def test_a_wish_to_wait_is_passed_on_with_its_rule() -> None:
    chains = [otelq.Chain(otelq.new_id(), otelq.JobType("any", input=int, output=int)) for _ in range(2)]
    ids = tuple(chain.id for chain in chains)
    assert outcome(otelq.WaitFor(*chains), attempt=3) == Blocks(ids, Until.ALL, OnFailure.FAIL)
    some = otelq.WaitFor(otelq.AnyOf(chains, on_failure="wait"))
    assert outcome(some) == Blocks(ids, Until.ANY, OnFailure.WAIT)


# Groups


def test_a_group_with_one_decision_is_that_decision_however_deep() -> None:
    assert outcome(ExceptionGroup("a", [ExceptionGroup("b", [otelq.Snooze(5)])])) == Snoozes(5.0)
    assert outcome(BaseExceptionGroup("a", [otelq.Fail("no")])) == Fails(Failure("otelq.Fail", "no"))


@pytest.mark.parametrize("beside", [otelq.Snooze(1), ValueError("no"), ExceptionGroup("in", [otelq.Fail("no")])])
def test_a_group_with_more_than_a_decision_is_a_failed_attempt(beside: Exception) -> None:
    assert failure(outcome(ExceptionGroup("both", [otelq.Snooze(5), beside]))).type == "ExceptionGroup"
    nested = ExceptionGroup("outer", [ExceptionGroup("both", [otelq.Snooze(5), beside])])
    assert failure(outcome(nested)).type == "ExceptionGroup"


# What happened in another process


def test_an_exception_of_a_process_is_stored_and_judged_by_its_own_name() -> None:
    error = otelq.ProcessFailed("app.Broken", "it broke\nTraceback", ("app.Broken", "ValueError", "Exception"))
    assert failure(outcome(error)) == Failure("app.Broken", "it broke\nTraceback")
    assert isinstance(outcome(error, retry=otelq.RetryPolicy(fail_on=(ValueError,))), Fails)
    assert isinstance(outcome(error, retry=otelq.RetryPolicy(fail_on=(KeyError,))), Retries)


def test_a_process_that_died_can_have_a_rule() -> None:
    policy = otelq.RetryPolicy(rules={otelq.ProcessDied: otelq.RetryPolicy(initial=77, jitter=0)})
    found = outcome(otelq.ProcessDied("gone"), retry=policy)
    assert isinstance(found, Retries)
    assert found.delay == 77


def test_a_decision_counts_whatever_the_rules_say_of_its_class() -> None:
    policy = otelq.RetryPolicy(fail_on=(Exception,))
    assert outcome(otelq.Snooze(5), retry=policy) == Snoozes(5.0)
    assert isinstance(outcome(otelq.RetryAfter(5), retry=policy), Retries)
