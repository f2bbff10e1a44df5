"""Values of the model from rows, and columns of parameters from values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import OtelqError
from ..model import (
    Claimed,
    ClaimSuccessor,
    Continues,
    Failure,
    JobRecord,
    Lease,
    Settlement,
    Status,
    Successor,
    Transition,
    Verb,
)
from ..transitions import build
from ..transitions.build import Snapshot

Row = Any
"""A row of the driver: by name, or in the order of the columns."""

Continued = tuple[list[Transition], Claimed | None]


def claimed(row: Sequence[Any], token: int) -> Claimed:
    """Build a claimed job from a row of ``claim.sql``."""
    (
        chain_id,
        position,
        type_,
        priority,
        run_at,
        attempt,
        crashes,
        leased_until,
        last_trace,
        queue,
        input_,
        created_at,
        trace,
        meta,
        blockers,
        chain_type,
        chain_created_at,
        claimed_at,
    ) = row
    return Claimed(
        lease=Lease(chain_id, position, token),
        type=type_,
        queue=queue,
        chain_type=chain_type or type_,
        input=input_,
        attempt=attempt,
        crashes=crashes,
        priority=priority,
        due_at=run_at,
        created_at=created_at,
        chain_created_at=chain_created_at or created_at,
        claimed_at=claimed_at,
        leased_until=leased_until,
        blockers=blockers or 0,
        trace=trace,
        last_trace=last_trace,
        meta=meta,
    )


def snapshot(row: Sequence[Any]) -> Snapshot:
    """Build a snapshot from the first columns of a row of a statement that locks jobs."""
    chain_id, position, token, type_, queue, chain_type, status, *rest = row[: len(Snapshot.__struct_fields__)]
    return Snapshot(chain_id, position, token, type_, queue, chain_type, Status(status), *rest)


def released(row: Row) -> Transition:
    """Build the transition of a dependent from a row of ``release_dependents.sql``."""
    return build.blockers_ended(snapshot(row), failed_with=row["error_type"])


def continued(item: Settlement, successor: Successor, request: ClaimSuccessor | None, *, row: Row) -> Continued:
    """Return the transitions of a continuation, and the successor if it is leased to the same worker already."""
    at, run_at = row["at"], row["run_at"]
    claimed = _claimed_successor(item, successor, request, row) if request and row["is_claimed"] else None
    return build.continued(item, successor, at=at, run_at=run_at, claimed_successor=claimed), claimed


def _claimed_successor(item: Settlement, successor: Successor, request: ClaimSuccessor, row: Row) -> Claimed:
    return build.claimed_successor(
        item,
        successor,
        request,
        priority=row["priority"],
        at=row["at"],
        due_at=row["run_at"],
        leased_until=row["leased_until"],
    )


def lease_columns(leases: Sequence[Lease]) -> tuple[list[str], list[int], list[int]]:
    """Return leases as columns for a fenced statement."""
    return (
        [lease.chain_id for lease in leases],
        [lease.position for lease in leases],
        [lease.token for lease in leases],
    )


def successor_columns(outcomes: Sequence[Continues]) -> tuple[list[Any] | None, ...]:
    """Return successors as columns for a ``continue`` statement."""
    successors = [outcome.successor for outcome in outcomes]
    return (
        [successor.type for successor in successors],
        [successor.queue for successor in successors],
        [successor.input for successor in successors],
        column([successor.priority for successor in successors]),
        column([successor.at for successor in successors]),
        column([successor.delay for successor in successors]),
        column([successor.trace for successor in successors]),
        column([successor.meta for successor in successors]),
    )


def column(values: list[Any]) -> list[Any] | None:
    """
    Return a column of a batch as a parameter; None if all its values are None.

    ``unnest`` fills an array that is too short with nulls, and encoding each element costs the driver time.
    """
    return values if any(value is not None for value in values) else None


def index(row: Row) -> int:
    """Return the index of the item in the batch that a row is about."""
    n: int = row["n"]
    return n


def indexes(row: Row) -> list[int]:
    """Return the indexes of the items that a statement wrote."""
    written: list[int] = row["written"]
    return written


def failure(error_type: str | None, error_text: str | None) -> Failure | None:
    """Build a stored failure, if there is one."""
    return None if error_type is None else Failure(error_type, error_text or "")


def verb(row: Row) -> Verb:
    """
    Return the verb that ended an attempt.

    Raises:
        OtelqError: the row was written by a newer version, or by hand.
    """
    try:
        return Verb(row["verb"])
    except ValueError as error:
        raise OtelqError(f"a stored attempt cannot be read: {error}") from None


def record(row: Row) -> JobRecord:
    """Build a record from a row of ``read_records.sql``."""
    return JobRecord(
        chain_id=row["chain_id"],
        position=row["position"],
        type=row["type"],
        queue=row["queue"],
        status=Status(row["status"]),
        input=row["input"],
        created_at=row["created_at"],
        priority=row["priority"],
        attempt=row["attempt"],
        crashes=row["crashes"],
        run_at=row["run_at"],
        leased_by=row["leased_by"],
        leased_until=row["leased_until"],
        closed_at=row["closed_at"],
        closed_by=row["closed_by"],
        output=row["output"],
        failure=failure(row["error_type"], row["error_text"]),
        blocked_by=row["blocked_by"],
        amended_input=row["amended_input"],
        expires_at=row["expires_at"],
        trace=row["trace"],
        meta=row["meta"],
    )
