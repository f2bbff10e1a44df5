"""I9: one holder for each dedup key."""

from __future__ import annotations

from collections.abc import Iterator

from ...audit import Change
from ...invariants import Violation
from .facts import Facts
from .replay import History, found

Key = tuple[str, str]


def one_holder(history: History, facts: Facts) -> Iterator[Violation]:
    """
    I9: a key of scope ``open`` goes to another chain only when its holder has ended, and is free from then on.

    A key that is taken with a ``window`` or with ``exclude`` may change hands earlier: one of that scope so taken
    would be reported here. A key that lasts is checked by its row alone, which names its holder.
    """
    lasting = _lasting(history)
    held: dict[Key, str] = {}
    for change in history.of("dedup_key"):
        row = change.old if change.new is None else change.new
        key = (row or {})["type"], (row or {})["key"]
        holder = held.pop(key, None)
        if holder is not None and not lasting.get(holder) and _stays_open(history, holder, change):
            how = "was freed" if change.new is None else f"went to {change.new['chain_id']}"
            yield found("I9", "one holder", (holder, 0), f"its key {key[1]!r} {how} while it was open")
        if change.new is not None:
            held[key] = change.new["chain_id"]
    for key, holder in held.items():
        if not lasting.get(holder) and history.end_at(holder, history.changes[-1].seq):
            yield found("I9", "keys are given back", (holder, 0), f"it has ended, and holds the key {key[1]!r}")


def keys_are_taken(history: History, facts: Facts) -> Iterator[Violation]:
    """I9: a chain that was started with a key took it, unless it failed as it was born."""
    takers = {change.new["chain_id"] for change in history.of("dedup_key") if change.new is not None}
    for change in history.of("job"):
        if change.op != "INSERT" or change.row["dedup_key"] is None or change.chain_id in takers:
            continue
        if history.hot_rows.get(str(change.chain_id)):
            key = change.row["dedup_key"]
            yield found("I9", "keys are taken", (str(change.chain_id), 0), f"it has no hold of its key {key!r}")


def _lasting(history: History) -> dict[str, bool]:
    return {
        str(change.chain_id): bool(change.row["key_lasts"])
        for change in history.of("job")
        if change.op == "INSERT" and change.position == 0
    }


def _stays_open(history: History, holder: str, change: Change) -> bool:
    """Return True if a chain has a hot row before this change, and does not lose it with its own next change."""
    rows = history.hot_rows.get(holder, ())
    before = [row for row in rows if row.seq < change.seq]
    after = next((row for row in rows if row.seq > change.seq), None)
    if not before or before[-1].op == "DELETE":
        return False
    return after is None or after.op != "DELETE"
