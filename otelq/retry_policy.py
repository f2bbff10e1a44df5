"""Retry policies: the delay before the next attempt. Pure; randomness comes in as an argument."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from types import MappingProxyType
from typing import TypeGuard

from .errors import InvalidArgument
from .logs import Log
from .texts import class_name

logger = Log("otelq.retry_policy")

LONGEST_DELAY = 10 * 365 * 86400.0
"""Ten years in seconds. No delay is longer; a request for more is taken for a mistake."""

ExceptionClasses = Sequence[type | str]
"""The classes of an exception, the nearest first; their qualified names where the classes are not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """
    The number of attempts of a job, and the delays between them.

    The delay before attempt ``n + 1`` is ``initial * factor ** (n - 1)`` seconds, at most ``max``, then changed at
    random by up to plus or minus ``jitter`` of itself, so that jobs that failed together do not return together.

    An exception group with a single exception counts as that exception.

    Args:
        max_attempts: the number of attempts, 1 or more, the first included; None for no limit.
        initial: seconds before the second attempt, 0 to ten years.
        factor: the growth of each further delay, 1 or more; 1 for equal delays.
        max: the longest delay in seconds, 0 to ten years.
        jitter: the share of the delay that is random, 0 to 1.
        backoff: returns the seconds after an attempt, given its number from 1, instead of ``initial``, ``factor`` and
            ``max``; ``jitter`` applies. If it raises, or returns anything but 0 to ten years of seconds, the error is
            logged and the other fields apply.
        fail_on: exceptions that fail the job at once, however many attempts are left.
        rules: policies for certain exceptions. The class nearest to the exception's own wins, in ``rules`` and
            ``fail_on`` alike. The ``max_attempts`` of a rule counts all attempts of the job, after whatever exception.

    Raises:
        InvalidArgument: a value is out of its range.
    """

    max_attempts: int | None = 10
    initial: float = 1.0
    factor: float = 2.0
    max: float = 600.0
    jitter: float = 0.25
    backoff: Callable[[int], float] | None = None
    fail_on: tuple[type[BaseException], ...] = ()
    rules: Mapping[type[BaseException], RetryPolicy] = field(default_factory=lambda: MappingProxyType({}), hash=False)

    def __post_init__(self) -> None:
        self._check_numbers()
        if self.backoff is not None and not callable(self.backoff):
            raise InvalidArgument("backoff", f"is {self.backoff!r}; give a function of an attempt's number to seconds")
        object.__setattr__(self, "fail_on", _exceptions("fail_on", self.fail_on))
        object.__setattr__(self, "rules", _rules(self.rules))
        for kind in self.fail_on:
            if kind in self.rules:
                raise InvalidArgument(
                    "rules", f"holds {kind.__qualname__}, and so does fail_on; give it to one of them"
                )

    def delay(self, attempt: int, *, random_fraction: float) -> float:
        """Return the seconds from the failure of ``attempt`` (1 first) to the next, for a random number in 0..1."""
        delay = None if self.backoff is None else self._custom_delay(self.backoff, attempt)
        if delay is None:
            delay = self._exponential(attempt)
        return delay * (1 + self.jitter * (2 * random_fraction - 1))

    def is_spent(self, attempt: int) -> bool:
        """Return whether ``attempt`` was the last one."""
        return self.max_attempts is not None and attempt >= self.max_attempts

    def for_exception(self, classes: ExceptionClasses) -> RetryPolicy | None:
        """Return the policy that counts after an exception of these classes; None if it ends the job at once."""
        if not (self.fail_on or self.rules):
            return self
        for ancestor in classes:  # the nearest class first, so that a rule for it wins over one for its base
            if any(_matches(kind, ancestor) for kind in self.fail_on):
                return None
            for kind, policy in self.rules.items():
                if _matches(kind, ancestor):
                    return policy
        return self

    def _exponential(self, attempt: int) -> float:
        return 0.0 if self.initial == 0 else min(self.initial * _power(self.factor, attempt - 1), self.max)

    def _custom_delay(self, backoff: Callable[[int], float], attempt: int) -> float | None:
        try:
            delay = backoff(attempt)
        except Exception:
            logger.exception("backoff(%d) of a retry policy failed; the exponential delay is taken", attempt)
            return None
        if _is_within(delay, 0, LONGEST_DELAY):
            return float(delay)
        logger.error(
            "backoff(%d) of a retry policy gave %r; give seconds from 0 to %g; the exponential delay is taken",
            attempt, delay, LONGEST_DELAY,
        )  # fmt: skip
        return None

    def _check_numbers(self) -> None:
        if self.max_attempts is not None and not (_is_number(self.max_attempts, int) and self.max_attempts >= 1):
            raise InvalidArgument("max_attempts", f"is {self.max_attempts!r}; give 1 or more, or None for no limit")
        for name, lowest, highest in (
            ("initial", 0, LONGEST_DELAY),
            ("factor", 1, LONGEST_DELAY),
            ("max", 0, LONGEST_DELAY),
            ("jitter", 0, 1),
        ):
            value = getattr(self, name)
            if not _is_within(value, lowest, highest):
                raise InvalidArgument(name, f"is {value!r}; give a number from {lowest} to {highest:g}")


def exception_classes_of(error: BaseException) -> ExceptionClasses:
    """Return the classes by which rules are looked up."""
    return type(error).__mro__


def _matches(kind: type, ancestor: type | str) -> bool:
    return kind is ancestor or (isinstance(ancestor, str) and class_name(kind) == ancestor)


def _exceptions(argument: str, kinds: Iterable[object]) -> tuple[type[BaseException], ...]:
    if isinstance(kinds, str) or not isinstance(kinds, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        raise InvalidArgument(argument, f"is {kinds!r}; give exception classes in a tuple")
    return tuple(_exception(argument, kind) for kind in kinds)


def _exception(argument: str, kind: object) -> type[BaseException]:
    if isinstance(kind, type) and issubclass(kind, BaseException):
        return kind
    raise InvalidArgument(argument, f"holds {kind!r}; give exception classes")


def _rules(rules: Mapping[type[BaseException], RetryPolicy]) -> Mapping[type[BaseException], RetryPolicy]:
    if not isinstance(rules, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        raise InvalidArgument("rules", f"is {rules!r}; give a mapping of exception classes to retry policies")
    return MappingProxyType({_exception("rules", kind): _rule(kind, policy) for kind, policy in rules.items()})


def _rule(kind: object, policy: object) -> RetryPolicy:
    if not isinstance(policy, RetryPolicy):
        raise InvalidArgument("rules", f"gives {policy!r} for {kind!r}; give a RetryPolicy")
    if policy.rules or policy.fail_on:
        raise InvalidArgument("rules", f"gives {kind!r} a policy that has rules itself; put them side by side")
    return policy


def _is_within(value: object, lowest: float, highest: float) -> bool:
    return _is_number(value, (int, float)) and isfinite(value) and lowest <= value <= highest


def _is_number(value: object, kind: type | tuple[type, ...]) -> TypeGuard[float]:
    return isinstance(value, kind) and not isinstance(value, bool)  # True is an int of 1


def _power(factor: float, exponent: int) -> float:
    try:
        return float(factor) ** exponent
    except OverflowError:  # the caller caps it at `max`
        return float("inf")
