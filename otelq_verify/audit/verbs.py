"""
The moves of jobs, read from the changes of their rows.

The hot row (``open_job``) shows most of it: its token appears and disappears, it moves on to the next position, it is
deleted. The rows beside it (the outcome, the finished attempt, the request) name the verb where several verbs would
leave the hot row alike. Every name is checked against the change: an ``Oddity`` says where the two do not fit.

Rows alone do not show everything. An amendment that makes a scheduled job due now, and changes nothing else, reads as a
trigger. An amendment that changes nothing at all may not be seen. Where tests move the clock (``now`` of the state
port), ignore what depends on the time: scheduled or ready, trigger or amend.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from itertools import chain as joined
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from otelq.model import Status, Verb

from .shapes import RowShape, describes_return, ends_as, fits_holder, shape_of, status_of
from .values import AuditedMove, Change, Row


class Oddity(Struct, frozen=True):
    """A change that no move explains, or that does not fit the verb which is written beside it."""

    seq: int
    chain_id: str
    position: int
    invariant: str
    """The invariant that it may break, as ``"I2"``."""
    detail: str


class Reading(Struct, frozen=True):
    """Moves and oddities, by ``seq``; one change may be several moves."""

    moves: list[AuditedMove]
    oddities: list[Oddity]


def moves(changes: Iterable[Change]) -> list[AuditedMove]:
    """Return the moves of jobs in the order of ``seq``, from all changes since the schema was empty."""
    return read(changes).moves


def read(changes: Iterable[Change]) -> Reading:
    """Read changes as moves of jobs, and as oddities where no move explains them."""
    by_chain: defaultdict[str, list[Change]] = defaultdict(list)
    for change in changes:
        if change.chain_id is not None:
            by_chain[change.chain_id].append(change)
    readers = [_ChainReader(found) for found in by_chain.values()]
    for reader in readers:
        reader.read()
    return Reading(
        sorted(joined.from_iterable(reader.moves for reader in readers), key=lambda move: move.seq),
        sorted(joined.from_iterable(reader.oddities for reader in readers), key=lambda oddity: oddity.seq),
    )


class _Written:
    """Rows that are written beside a change of the hot row. Each is taken once, in the order of writing."""

    def __init__(self, changes: Iterable[Change]) -> None:
        self._found: defaultdict[tuple[object, ...], deque[Change]] = defaultdict(deque)
        for change in changes:
            self._found[_key(change)].append(change)

    def take(self, table: str, op: str, *key: object) -> Row | None:
        found = self._found[table, op, *key]
        return found.popleft().row if found else None

    def next(self, table: str, op: str, *key: object) -> Change | None:
        found = self._found[table, op, *key]
        return found[0] if found else None

    def left(self, table: str) -> list[Change]:
        return [change for key, found in self._found.items() if key[:2] == (table, "INSERT") for change in found]


def _key(change: Change) -> tuple[object, ...]:
    """Return the key of a change: its position; for an attempt its position and token."""
    if change.table == "attempt":
        return change.table, change.op, change.position, change.row["token"]
    return change.table, change.op, change.position


def _amended(changes: list[Change]) -> set[int]:
    """Return the changes of the hot row that have a new input just before or after them, each input used once."""
    amended: set[int] = set()
    used: set[int] = set()
    for nr, change in enumerate(changes):
        if (change.table, change.op) != ("open_job", "UPDATE"):
            continue
        for near in (*changes[max(nr - 1, 0) : nr], *changes[nr + 1 : nr + 2]):
            if (near.table, near.op, near.tx) == ("job", "UPDATE", change.tx) and near.seq not in used:
                amended.add(change.seq)
                used.add(near.seq)
                break
    return amended


class _ChainReader:
    """Reads the changes of one chain."""

    def __init__(self, changes: list[Change]) -> None:
        self.moves: list[AuditedMove] = []
        self.oddities: list[Oddity] = []
        self._changes = changes
        self._beside = _Written(changes)
        self._amended = _amended(changes)
        self._unsettled: Change | None = None
        """A move that may leave the job blocked, which the next change of its hot row decides."""

    def read(self) -> None:
        for change in self._changes:
            if handler := _HANDLERS.get((change.table, change.op)):
                handler(self, change)
        self._settle()
        for table in ("outcome", "attempt"):
            for change in self._beside.left(table):
                self._find_odd(change, "I3", f"{table} says {change.row['verb']}, but no hot row changed so")

    # A chain begins, or begins again

    def requested(self, change: Change) -> None:
        """Read the request of a chain that fails when it starts: it never has a hot row."""
        end = self._beside.next("outcome", "INSERT", 0)
        if change.position or not _says(end, Verb.FAIL_BY_BLOCKER) or self._is_opened(change):
            return
        self._beside.take("outcome", "INSERT", 0)
        self._beside.take("job", "INSERT", 0)
        self._add(change, Verb.CREATE, None, Status.BLOCKED)
        self._add(change, Verb.FAIL_BY_BLOCKER, Status.BLOCKED, Status.FAILED)

    def _is_opened(self, requested: Change) -> bool:
        """Return True if the hot row of a first job is written beside its request."""
        for change in self._changes:
            if (change.table, change.op) == ("outcome", "UPDATE"):
                return False
            if (change.table, change.op, change.tx) == ("open_job", "INSERT", requested.tx):
                return True
        return False

    def opened(self, change: Change) -> None:
        self._settle()
        row = change.row
        if change.position == 0 and (request := self._beside.take("job", "INSERT", 0)):
            self._begin(change, Verb.CREATE, None, status_of(row, request["created_at"]))
        elif before := self._beside.take("outcome", "UPDATE", change.position):
            self._begin(change, Verb.REDRIVE, Status(before["status"]), status_of(row, row["run_at"]))
        else:
            self._find_odd(change, "I4", "a hot row came out of nothing")

    def _begin(self, change: Change, verb: Verb, source: Status | None, target: Status) -> None:
        """Add the start of a job: it waits for its turn, unless the next change shows that it is blocked."""
        self._add(change, verb, source, target)
        self._unsettled = None if target is Status.BLOCKED else change

    # The hot row changes

    def changed(self, change: Change) -> None:
        old, new = _both(change)
        shape = shape_of(old, new)
        if self._unsettled is not None:
            if shape is RowShape.BLOCKED:
                return self._stays_blocked()
            if shape is RowShape.SAME and self._is_of_the_same_move(change, self._unsettled):
                return None
        self._settle()
        handler = _SHAPES.get(shape)
        if handler is not None:
            handler(self, change)
        elif shape is RowShape.ODD:
            self._find_odd(change, "I1", f"nothing turns {_brief(old)} into {_brief(new)}")
        return None

    def _is_of_the_same_move(self, change: Change, move: Change) -> bool:
        """
        Return True if the change belongs to the move before it: SQLite writes the blocker count in a statement of its
        own, even if it is 0.
        """
        return change.tx == move.tx and change.seq not in self._amended and self.moves[-1].verb is not Verb.CLAIM

    def leased(self, change: Change) -> None:
        old, new = _both(change)
        if new["attempt"] != old["attempt"] + 1:
            self._find_odd(change, "I8", f"a claim made {old['attempt']} attempts {new['attempt']}")
        if old["run_at"] > new["claimed_at"]:
            self._find_odd(change, "I6", f"claimed at {new['claimed_at']}, before {old['run_at']}")
        self._add(change, Verb.CLAIM, Status.READY, Status.RUNNING)

    def renewed(self, change: Change) -> None:
        self._add(change, Verb.RENEW, Status.RUNNING, Status.RUNNING)

    def given_up(self, change: Change) -> None:
        """Read the end of a lease whose job stays open. The finished attempt names the verb."""
        old, new = _both(change)
        attempt = self._beside.take("attempt", "INSERT", change.position, old["token"])
        verb = Verb.RELEASE if attempt is None else Verb(attempt["verb"])
        if not describes_return(verb, old, new):
            self._find_odd(change, "I8", f"{verb} does not turn {_brief(old)} into {_brief(new)}")
        ended_at = change.at if attempt is None else attempt["ended_at"]
        if verb is Verb.BLOCK:
            self._add(change, verb, Status.RUNNING, Status.BLOCKED, row=old)
            self._unsettled = None if new["blocked_by"] else change
        else:
            self._add(change, verb, Status.RUNNING, status_of(new, ended_at), row=old)

    def freed(self, change: Change) -> None:
        old, new = _both(change)
        due = new["run_at"] > old["run_at"] or new["run_at"] <= change.at
        self._add(change, Verb.UNBLOCK, Status.BLOCKED, Status.READY if due else Status.SCHEDULED)

    def waited(self, change: Change) -> None:
        """Read a change of a job that does not run: it was made due, or amended."""
        old, new = _both(change)
        source = status_of(old, change.at)
        made_due = source is Status.SCHEDULED and old["priority"] == new["priority"] and new["run_at"] <= change.at
        if made_due and change.seq not in self._amended:
            self._add(change, Verb.TRIGGER, source, Status.READY)
        else:
            self._add(change, Verb.AMEND, source, status_of(new, change.at))

    def same(self, change: Change) -> None:
        """Read a change of nothing: an amendment of the input or of nothing, or a mark that a chain is waited for."""
        if change.seq in self._amended or not change.row["waited_on"]:
            status = status_of(change.row, change.at)
            self._add(change, Verb.AMEND, status, status)

    def crashed(self, change: Change) -> None:
        """Check that a counted crash is followed by the end that it causes."""
        old, new = _both(change)
        end = self._beside.next("outcome", "INSERT", change.position)
        if new["crashes"] != old["crashes"] + 1 or not _says(end, Verb.REAP):
            self._find_odd(change, "I8", "a crash was counted of a job that goes on running")

    def moved_on(self, change: Change) -> None:
        """Read the end of a job and the start of its successor, which takes the hot row."""
        old, new = _both(change)
        self._ends(change, old)
        request = self._beside.take("job", "INSERT", new["position"])
        if request is None:
            return self._find_odd(change, "I5", "a successor without a request")
        if new["token"] is None:
            self._begin(change, Verb.CREATE, None, status_of(new, request["created_at"]))
        else:
            self._add(change, Verb.CREATE, None, Status.READY)
            self._add(change, Verb.CLAIM, Status.READY, Status.RUNNING)
        return None

    # The end

    def closed(self, change: Change) -> None:
        old = change.row
        end = self._beside.next("outcome", "INSERT", change.position)
        deletion = self._beside.next("job", "DELETE", change.position)
        if deletion is not None and (end is None or deletion.seq < end.seq):
            return self._settle()
        self._beside.take("open_job", "DELETE", change.position)  # what is left of these was deleted open
        if _says(end, Verb.FAIL_BY_BLOCKER):
            return self._failed_by_blocker(change, old)
        self._settle()
        self._ends(change, old)
        if end is not None and end.row["status"] == Status.CONTINUED:
            self._successor_fails(change, old)
        return None

    def _failed_by_blocker(self, change: Change, old: Row) -> None:
        self._beside.take("outcome", "INSERT", change.position)
        if old["token"] is not None:
            self._blocks(change, old)
        elif self._unsettled is not None:
            self._stays_blocked()
        elif not old["blocked_by"]:
            self._find_odd(change, "I7", "a job without blockers failed by a blocker")
        self._add(change, Verb.FAIL_BY_BLOCKER, Status.BLOCKED, Status.FAILED, lease=None)

    def _blocks(self, change: Change, old: Row) -> None:
        """Add the block of a running job whose blocker had already failed."""
        attempt = self._beside.take("attempt", "INSERT", change.position, old["token"])
        if attempt is None or attempt["verb"] != Verb.BLOCK:
            self._find_odd(change, "I2", "a running job failed by a blocker")
        self._add(change, Verb.BLOCK, Status.RUNNING, Status.BLOCKED)

    def _successor_fails(self, change: Change, old: Row) -> None:
        position = old["position"] + 1
        request = self._beside.take("job", "INSERT", position)
        end = self._beside.take("outcome", "INSERT", position)
        if request is None or end is None or end["verb"] != Verb.FAIL_BY_BLOCKER:
            return self._find_odd(change, "I5", "a job continued, but nothing came of its successor")
        self._add(change, Verb.CREATE, None, Status.BLOCKED, row=request)
        self._add(change, Verb.FAIL_BY_BLOCKER, Status.BLOCKED, Status.FAILED, row=request)
        return None

    def _ends(self, change: Change, old: Row) -> None:
        """Add the end of the job of this hot row, as its outcome names it."""
        end = self._beside.take("outcome", "INSERT", old["position"])
        if end is None:
            return self._find_odd(change, "I3", "a hot row vanished, or moved on, without an outcome")
        verb, status = Verb(end["verb"]), Status(end["status"])
        source = status_of(old, end["closed_at"])
        if not ends_as(verb, status) or not fits_holder(verb, old, end):
            self._find_odd(change, "I2", f"the outcome says {verb} and {status} of {_brief(old)}")
        attempt = self._beside.take("attempt", "INSERT", old["position"], old["token"])
        if attempt is not None and attempt["verb"] != verb:
            self._find_odd(change, "I2", f"the attempt says {attempt['verb']}, the outcome {verb}")
        self._add(change, verb, source, status, row=old)
        return None

    def deleted(self, change: Change) -> None:
        self._settle()
        end = self._beside.take("outcome", "DELETE", change.position)
        while end is not None and end["generation"]:
            end = self._beside.take("outcome", "DELETE", change.position)
        hot = self._beside.take("open_job", "DELETE", change.position) if end is None else None
        source = Status(end["status"]) if end else status_of(hot, change.at) if hot else None
        if source is None:
            self._find_odd(change, "I4", "a job was deleted that was neither open nor closed")
        self._add(change, Verb.DELETE, source, None, lease=None)

    # What was read

    def _settle(self) -> None:
        """Settle a job that began to wait: it is unblocked at once if no later change says that it waits."""
        change, self._unsettled = self._unsettled, None
        if change is not None and self.moves[-1].verb is Verb.BLOCK:
            self._add(change, Verb.UNBLOCK, Status.BLOCKED, Status.READY, lease=None)

    def _stays_blocked(self) -> None:
        self._unsettled = None
        self.moves[-1] = replace(self.moves[-1], target=Status.BLOCKED)

    def _add(
        self,
        change: Change,
        verb: Verb,
        source: Status | None,
        target: Status | None,
        *,
        row: Row | None = None,
        **lease: int | None,
    ) -> None:
        row = change.row if row is None else row
        token = lease.get("lease", row.get("token"))
        self.moves.append(
            AuditedMove(
                verb=verb,
                chain_id=str(change.chain_id),
                position=row["position"],
                type=row["type"],
                source=source,
                target=target,
                token=None if verb is Verb.CREATE else token,
                at=change.at,
                seq=change.seq,
                tx=change.tx,
            )
        )

    def _find_odd(self, change: Change, invariant: str, detail: str) -> None:
        self.oddities.append(Oddity(change.seq, str(change.chain_id), change.row["position"], invariant, detail))


def _both(change: Change) -> tuple[Row, Row]:
    return change.old or {}, change.new or {}


def _says(end: Change | None, verb: Verb) -> bool:
    return end is not None and end.row["verb"] == verb


def _brief(row: Row) -> str:
    shown = ("position", "token", "attempt", "crashes", "blocked_by")
    return " ".join(f"{name}={row.get(name)}" for name in shown)


_Handler = Callable[[_ChainReader, Change], None]
_HANDLERS: Final[Mapping[tuple[str, str], _Handler]] = {
    ("job", "INSERT"): _ChainReader.requested,
    ("job", "DELETE"): _ChainReader.deleted,
    ("open_job", "INSERT"): _ChainReader.opened,
    ("open_job", "UPDATE"): _ChainReader.changed,
    ("open_job", "DELETE"): _ChainReader.closed,
}
_SHAPES: Final[Mapping[RowShape, _Handler]] = {
    RowShape.LEASED: _ChainReader.leased,
    RowShape.RENEWED: _ChainReader.renewed,
    RowShape.GIVEN_UP: _ChainReader.given_up,
    RowShape.FREED: _ChainReader.freed,
    RowShape.WAITED: _ChainReader.waited,
    RowShape.SAME: _ChainReader.same,
    RowShape.CRASHED: _ChainReader.crashed,
    RowShape.MOVED_ON: _ChainReader.moved_on,
}
