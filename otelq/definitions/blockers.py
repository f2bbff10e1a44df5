"""The blockers of a job: chains that it waits for, all of them or any one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias, cast

from ..errors import InvalidArgument
from ..model import OnFailure, Until
from .chain import Chain

Chains: TypeAlias = Chain[Any] | Sequence[Chain[Any]]
"""One handle, or a sequence of them."""
IfFailed: TypeAlias = Literal["fail", "ignore", "wait"]
"""The meaning of a blocker that failed or was cancelled."""


@dataclass(frozen=True, slots=True, init=False)
class AllOf:
    """
    Blockers that must all close: the job runs after the last of them.

    Args:
        chains: handles, each chain once, or one sequence of handles; any number of them.
        on_failure: the meaning of a blocker that failed or was cancelled. ``"fail"``: the job and its chain fail at
            once. ``"ignore"``: the blocker counts as finished; it has no output. ``"wait"``: the job waits until that
            chain is redriven and completes.

    Raises:
        InvalidArgument: a value is no ``Chain``, is given twice, or is of a type that no chain starts with.
    """

    chains: tuple[Chain[Any], ...]
    on_failure: OnFailure

    def __init__(self, *chains: Chains, on_failure: IfFailed = "fail") -> None:
        object.__setattr__(self, "chains", _flatten(chains))
        object.__setattr__(self, "on_failure", _on_failure(on_failure))


@dataclass(frozen=True, slots=True, init=False)
class AnyOf:
    """
    Blockers of which one must close: the job runs after the first of them, and the others go on.

    Args:
        chains: handles, each chain once, or one sequence of handles; at least one.
        on_failure: the meaning of a blocker that failed or was cancelled. ``"fail"``: it no longer counts, and the job
            fails when none is left. ``"ignore"``: it counts as finished; it has no output. ``"wait"``: it counts as
            open, since it may be redriven; the job never fails because of it.

    Raises:
        InvalidArgument: no chain is given, or a value is refused as by ``AllOf``.
    """

    chains: tuple[Chain[Any], ...]
    on_failure: OnFailure

    def __init__(self, *chains: Chains, on_failure: IfFailed = "fail") -> None:
        listed = _flatten(chains)
        if not listed:
            raise InvalidArgument("chains", "is empty; any of none could never be met")
        object.__setattr__(self, "chains", listed)
        object.__setattr__(self, "on_failure", _on_failure(on_failure))


Blockers: TypeAlias = Sequence[Chain[Any]] | AllOf | AnyOf
"""Chains to wait for; a plain sequence means ``AllOf``."""


class CheckedBlockers(NamedTuple):
    """Blockers that were checked, as the state port takes them."""

    ids: tuple[str, ...]
    until: Until = Until.ALL
    on_failure: OnFailure = OnFailure.FAIL


NO_BLOCKERS = CheckedBlockers(())


def check_blockers(blockers: Blockers, *, of: str | None = None, argument: str = "blockers") -> CheckedBlockers:
    """Return the blockers of the chain ``of``, if its id is known; refuse the chain itself among them."""
    if isinstance(blockers, AllOf | AnyOf):
        chains, on_failure = blockers.chains, blockers.on_failure
    else:
        chains, on_failure = check_chains(blockers, argument=argument), OnFailure.FAIL
    if not chains:
        return NO_BLOCKERS
    ids = tuple(chain.id for chain in chains)
    if of in ids:
        raise InvalidArgument(argument, f"names chain {of} itself; it would wait for ever")
    return CheckedBlockers(ids, Until.ANY if isinstance(blockers, AnyOf) else Until.ALL, on_failure)


def check_chains(chains: object, *, argument: str = "chains") -> tuple[Chain[Any], ...]:
    """Return the chains in a tuple; refuse any that nothing can wait for, or that is named twice."""
    if isinstance(chains, str) or not isinstance(chains, Sequence):
        raise InvalidArgument(argument, f"is {chains!r}; give several, as in a list")
    listed = tuple(_check_chain(argument, chain) for chain in cast(Sequence[object], chains))
    seen: set[str] = set()
    for chain in listed:
        if chain.id in seen:
            raise InvalidArgument(argument, f"names chain {chain.id} twice; name each once")
        seen.add(chain.id)
    return listed


def _check_chain(argument: str, chain: object) -> Chain[Any]:
    if not isinstance(chain, Chain):
        raise InvalidArgument(argument, f"holds {chain!r}; give chains, or make them with Chain(id, job_type)")
    found: Chain[Any] = chain  # pyright: ignore[reportUnknownVariableType]  # of whatever output
    if not found.job_type.entry:
        problem = f"names a chain of {found.job_type.name!r}, which is only continued into; give the type it began with"
        raise InvalidArgument(argument, problem)
    return found


def _flatten(chains: tuple[Chains, ...]) -> tuple[Chain[Any], ...]:
    """Return chains that were given one by one, or as one sequence."""
    return check_chains(chains[0] if len(chains) == 1 and not isinstance(chains[0], Chain) else chains)


def _on_failure(on_failure: str) -> OnFailure:
    try:
        return OnFailure(on_failure)
    except ValueError:
        raise InvalidArgument("on_failure", f"is {on_failure!r}; give one of {', '.join(OnFailure)}") from None
