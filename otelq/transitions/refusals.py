"""Requests that every store refuses, with the same errors in the same words."""

from __future__ import annotations

from ..errors import AlreadyExists, InvalidArgument, JobAlreadyClosed, JobTypeMismatch, NotFound, StillReferenced
from ..model import Status
from .blockers import BAD_ENDS


def chain_not_found(chain_id: str) -> NotFound:
    """Return the error for a chain that does not exist."""
    return NotFound(f"there is no chain {chain_id}")


def blocker_not_found(chain_id: str) -> NotFound:
    """Return the error for a blocker that does not exist."""
    return NotFound(f"the blocker {chain_id} does not exist")


def chain_closed(chain_id: str, status: Status | None) -> JobAlreadyClosed:
    """Return the error for a chain that should be open."""
    return JobAlreadyClosed(f"chain {chain_id} is {status or 'closed'}")


def wrong_step(chain_id: str, *, step: str, open_step: str, is_past: bool) -> JobAlreadyClosed | JobTypeMismatch:
    """Return the error for a step that is closed already, or that the chain has not reached."""
    if is_past:
        return JobAlreadyClosed(f"the job {step} of chain {chain_id} is closed; {open_step} is open")
    return JobTypeMismatch(f"the open job of chain {chain_id} is {open_step}, not {step}")


def still_referenced(dependent: str, blocker: str) -> StillReferenced:
    """Return the error for a chain that cannot be deleted alone."""
    return StillReferenced(f"chain {dependent} has {blocker} as a blocker; delete it too, or first")


def dedup_key_held(chain_id: str, *, holder: str) -> AlreadyExists:
    """Return the error for a redrive whose dedup key another chain holds by now."""
    return AlreadyExists(f"the dedup key of chain {chain_id} is held by chain {holder}")


def blocker_cycle(chain_id: str, *, through: str) -> InvalidArgument:
    """Return the error for a chain that would wait for itself, directly or through ``through``."""
    last = "itself" if through == chain_id else f"chains of which one, {through}, waits for it"
    return InvalidArgument("blockers", f"would let chain {chain_id} wait for {last}")


def blocker_failed(chain_id: str, blocker: str) -> InvalidArgument:
    """Return the error for a redrive that would fail at once, because a blocker failed."""
    problem = f"{chain_id} has the blocker {blocker}, which ended badly; redrive that first, or together"
    return InvalidArgument("chain", problem)


def check_trigger(chain_id: str, status: Status) -> None:
    """
    Refuse to trigger a job that cannot be due.

    Raises:
        InvalidArgument: it is blocked or running.
    """
    if status in (Status.BLOCKED, Status.RUNNING):
        raise InvalidArgument("chain", f"{chain_id} is {status}; only a scheduled job can be triggered")


def check_amend(chain_id: str, status: Status) -> None:
    """
    Refuse to amend a job that is running.

    Raises:
        InvalidArgument: it is running.
    """
    if status is Status.RUNNING:
        raise InvalidArgument("chain", f"{chain_id} is running; only a job that waits can be amended")


def check_take_over(chain_id: str, status: Status) -> None:
    """
    Refuse to take over a job that no worker has.

    Raises:
        InvalidArgument: it is not running.
    """
    if status is not Status.RUNNING:
        raise InvalidArgument("chain", f"{chain_id} is {status}; only a running job can be taken over")


def check_redrive(chain_id: str, end: Status | None) -> None:
    """
    Refuse to redrive a chain that did not fail.

    Raises:
        InvalidArgument: it is open (``end`` is None), or completed.
    """
    if end is None:
        raise InvalidArgument("chain", f"{chain_id} is open; only a failed or cancelled chain can be redriven")
    if end not in BAD_ENDS:
        raise InvalidArgument("chain", f"{chain_id} is {end}; give one that failed or was cancelled")
