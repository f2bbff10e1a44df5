"""I6 and I12: the jobs that may be claimed, and their order."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from ...audit import Change
from ...audit.values import Row
from ...invariants import Violation
from .facts import Facts
from .replay import History, Job, found

Rank = tuple[int, datetime, str]


def only_what_is_due(history: History, facts: Facts) -> Iterator[Violation]:
    """I6: nothing is claimed before its time, while it is blocked or leased, or once it has expired unstarted."""
    for tenure in history.tenures:
        old, new = tenure.begun.old or {}, tenure.begun.new or {}
        if new["run_at"] > new["claimed_at"]:
            yield found("I6", "not before its time", tenure.job, f"due {new['run_at']}, claimed {new['claimed_at']}")
        if new["blocked_by"] or (old.get("blocked_by") and old["position"] == new["position"]):
            yield found("I6", "not while it is blocked", tenure.job, "it waited for other chains")
        if _has_expired(new):
            yield found("I6", "not once it has expired", tenure.job, f"expired {new['expires_at']}")


def _has_expired(claimed: Row) -> bool:
    """Return True if a first attempt began too late."""
    expires_at = claimed["expires_at"]
    return expires_at is not None and claimed["attempt"] == 1 and bool(expires_at <= claimed["claimed_at"])


def best_first(history: History, facts: Facts) -> Iterator[Violation]:
    """
    I12: no job is claimed past a better one of its type that could be claimed for longer than ``patience``.

    Better is a lower (priority, run_at, chain). When a change was committed, and whether a row was locked, a history
    does not show; hence the patience. Suspects, of which a claim takes one at most, are left out.
    """
    lines: dict[str, dict[str, tuple[Rank, datetime]]] = {}
    for change in history.of("open_job"):
        old, new = change.old, change.new
        chain_id = str(change.chain_id)
        if new is not None and new["token"] is not None and (old is None or old["token"] != new["token"]):
            yield from _passed_over(history, lines.get(new["type"], {}), change, facts=facts)
        # Every change takes the chain out of its line; it is put back below if it can still be claimed. So a line never
        # holds a stale rank.
        if old is not None:
            lines.get(old["type"], {}).pop(chain_id, None)
        if new is not None and _is_claimable(new):
            since = max(new["run_at"], change.at)
            lines.setdefault(new["type"], {})[chain_id] = (_rank(chain_id, new), since)


def _is_claimable(row: Row) -> bool:
    return row["token"] is None and not row["blocked_by"] and not row["crashes"] and row["expires_at"] is None


def _rank(chain_id: str, row: Row) -> Rank:
    return row["priority"], row["run_at"], chain_id


def _passed_over(
    history: History, line: dict[str, tuple[Rank, datetime]], change: Change, *, facts: Facts
) -> Iterator[Violation]:
    row, chain_id = change.row, str(change.chain_id)
    for other, (rank, since) in line.items():
        if other == chain_id or rank > _rank(chain_id, row) or facts.allowed(since, 0) >= row["claimed_at"]:
            continue
        if not _is_claimed_with(history, other, change):
            job: Job = (other, 0)
            yield found("I12", "best first", job, f"{chain_id} was claimed before it, though it waited since {since}")


def _is_claimed_with(history: History, other: str, claim: Change) -> bool:
    """Return True if a chain is claimed next by the same statement, which writes its rows in any order."""
    following = next((change for change in history.hot_rows[other] if change.seq > claim.seq), None)
    return following is not None and following.row["token"] == claim.row["token"]
