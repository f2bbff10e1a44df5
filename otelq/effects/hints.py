"""The hints that follow from transitions, so that others look at once instead of at their next poll."""

from __future__ import annotations

from collections.abc import Sequence

from ..model import Status, Transition, Verb
from ..ports.notify import Hint, HintKind
from ..transitions import closes_chain


def hints_of(transitions: Sequence[Transition]) -> list[Hint]:
    """Return the hints of these transitions: types with due jobs, closed chains, and revoked leases."""
    hints: dict[tuple[HintKind, str], Hint] = {}
    for transition in transitions:
        if transition.target is Status.READY:
            hints[HintKind.DUE, transition.type] = Hint(HintKind.DUE, transition.type)
        elif transition.target is Status.SCHEDULED:
            _earliest(hints, transition)
        elif closes_chain(transition.verb, transition.target) or transition.verb is Verb.DELETE:
            hints[HintKind.CLOSED, transition.chain_id] = Hint(HintKind.CLOSED, transition.chain_id)
        if transition.source is Status.RUNNING and transition.verb in _REVOKING:
            hints[HintKind.REVOKED, transition.chain_id] = Hint(HintKind.REVOKED, transition.chain_id)
    return list(hints.values())


_REVOKING = frozenset({Verb.CANCEL, Verb.COMPLETE_EXTERNALLY, Verb.TAKE_OVER, Verb.DELETE})


def _earliest(hints: dict[tuple[HintKind, str], Hint], transition: Transition) -> None:
    if transition.due_at is None:
        return
    delay = max(0.0, (transition.due_at - transition.at).total_seconds())
    known = hints.get((HintKind.DUE, transition.type))
    if known is None or delay < known.delay:
        hints[HintKind.DUE, transition.type] = Hint(HintKind.DUE, transition.type, delay)
