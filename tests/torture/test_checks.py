"""The history checker finds nothing in a history that is sound, and each planted fault in one that is not."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from otelq_verify.audit import Change, verbs
from otelq_verify.audit.values import Row
from otelq_verify.torture import checks
from otelq_verify.torture.checks import Facts, check
from otelq_verify.torture.tables import HISTORY

from .small import (
    UNDONE,
    Forge,
    beside,
    both,
    cancelled_waits,
    double,
    drop,
    early,
    edit,
    erase,
    follow,
    history,
    where,
)

FACTS = Facts(leases={"walk": 2.0, "stride": 2.0, "leaf": 2.0}, reap_interval=0.1)


@dataclass(frozen=True)
class Fault:
    """A falsified history, and what must be found in it: by a check of this title, with these words."""

    name: str
    forge: Forge
    invariant: str
    title: str
    words: str = ""
    facts: Facts = FACTS


def later(seconds: float, name: str) -> Callable[[Row], Any]:
    """A time of the row, so much later."""
    return lambda row: row[name] + timedelta(seconds=seconds)


hot = partial(where, "open_job")
claim = partial(where, "open_job", "UPDATE", old_token=None)
closing = partial(where, "outcome", "INSERT")
written = partial(where, HISTORY, "INSERT")

STOLEN = edit(hot("UPDATE", old_token=7), token=5, claimed_at=later(0, "run_at"), leased_until=later(2, "run_at"))

FAULTS = [
    # The rows and the verbs that are written beside them
    Fault("a stolen lease", STOLEN, "I1", "rows that fit", "nothing turns"),
    Fault("a lost outcome", drop(closing(status="completed")), "I3", "rows that fit", "without an outcome"),
    Fault("an outcome of nobody", double(closing(verb="complete")), "I3", "rows that fit", "no hot row changed so"),
    Fault(
        "a foreign outcome", edit(closing(verb="complete"), token=5), "I2", "rows that fit", "the outcome says complete"
    ),
    Fault("a false status", edit(closing(verb="complete"), status="failed"), "I2", "rows that fit", "and failed of"),
    Fault(
        "a hasty expiry", edit(where("open_job", "DELETE", attempt=0), expires_at=None), "I2", "rows that fit", "expire"
    ),
    Fault("an attempt for nothing", edit(claim(type="walk"), attempt=3), "I8", "rows that fit", "a claim made"),
    Fault("a free retry", edit(where("attempt", verb="block"), verb="retry"), "I8", "rows that fit", "does not turn"),
    Fault("a free crash", edit(where("attempt", verb="reap"), verb="take_over"), "I8", "rows that fit", "take_over"),
    Fault("a foundling", drop(where("job", "INSERT", type="keyed")), "I4", "rows that fit", "out of nothing"),
    Fault(
        "a successor unasked", drop(where("job", "INSERT", type="stride")), "I5", "rows that fit", "without a request"
    ),
    Fault(
        "an unblocked victim",
        edit(where("open_job", "DELETE", type="gather"), blocked_by=0),
        "I7",
        "rows that fit",
        "without blockers failed",
    ),
    Fault(
        "a claim in the past",
        edit(claim(type="walk"), claimed_at=later(-9, "run_at")),
        "I6",
        "rows that fit",
        "claimed at",
    ),
    Fault("a crash in life", follow(claim(type="walk"), crashes=1), "I8", "rows that fit", "a crash was counted"),
    Fault(
        "a victim that runs",
        edit(closing(type="keyed"), verb="fail_by_blocker", status="failed"),
        "I2",
        "rows that fit",
        "a running job failed by a blocker",
    ),
    Fault(
        "an heir that never was",
        edit(closing(type="keyed"), verb="continue", status="continued"),
        "I5",
        "rows that fit",
        "nothing came of its successor",
    ),
    Fault(
        "two ends of one attempt",
        beside(closing(type="keyed"), "attempt", "INSERT", verb="retry"),
        "I2",
        "rows that fit",
        "the attempt says",
    ),
    Fault(
        "a ghost deleted",
        beside(where("dedup_key", "DELETE"), "job", "DELETE", position=0),
        "I4",
        "rows that fit",
        "a job was deleted that was neither",
    ),
    # I1 and I2
    Fault("a second lease", STOLEN, "I1", "one lease at a time"),
    Fault("a token used again", edit(claim(type="leaf", attempt=2), token=7), "I1", "a token of its own"),
    Fault("a start before the claim", early(written(kind="start")), "I1", "starts are claimed", "not claimed"),
    Fault("a start twice", double(written(kind="start")), "I1", "starts are claimed", "twice"),
    Fault(
        "a renewal past the deadline",
        edit(claim(type="walk"), leased_until=later(1, "deadline")),
        "I2",
        "within the deadline",
    ),
    Fault(
        "a lease too long",
        edit(claim(type="walk"), leased_until=later(9, "leased_until")),
        "I2",
        "as long as its type says",
    ),
    # I3
    Fault(
        "a closed job completed", double(closing(verb="fail"), verb="fail"), "I3", "outcomes unchanged", "there was one"
    ),
    Fault(
        "an outcome rewritten",
        edit(where("outcome", "UPDATE"), status="cancelled"),
        "I3",
        "outcomes unchanged",
        "status",
    ),
    Fault("an outcome erased", erase(closing()), "I3", "outcomes unchanged", "vanished"),
    Fault("a claim of the blocked", drop(hot("UPDATE", type="gather", blocked_by=0)), "I3", "one after the other"),
    Fault("a job that closes and goes on", early(hot("DELETE", type="keyed")), "I3", "closed stays closed"),
    # I4 and I5
    Fault("a gap", edit(where("job", "INSERT", position=2), position=3), "I4", "no gaps"),
    Fault("a hot row left behind", drop(hot("DELETE", type="keyed")), "I4", "one open job"),
    Fault("two commits", edit(where("job", "INSERT", type="stride"), tx=9), "I5", "from one commit"),
    Fault(
        "a successor of the completed",
        edit(closing(status="continued"), status="completed"),
        "I5",
        "a successor of what continued",
    ),
    # I6
    Fault(
        "a claim before its time",
        edit(claim(type="walk"), run_at=later(1, "claimed_at")),
        "I6",
        "not before its time",
    ),
    Fault(
        "a claim too late",
        edit(claim(type="walk"), expires_at=later(0, "claimed_at")),
        "I6",
        "not once it has expired",
    ),
    Fault("a claim while blocked", edit(claim(type="waiter"), blocked_by=1), "I6", "not while it is blocked"),
    # I7
    Fault(
        "a job unblocked alone",
        both(drop(closing(type="leaf", attempt=1)), drop(closing(type="leaf", attempt=1))),
        "I7",
        "not before the rule",
        "unblocked by",
    ),
    Fault(
        "a job that fails in hope",
        edit(closing(verb="expire"), status="completed"),
        "I7",
        "not before the rule",
        "failed by 0",
    ),
    Fault(
        "a job that waits on",
        edit(where("open_job", "UPDATE", type="gather", blocked_by=0), at=3600),
        "I7",
        "released in time",
    ),
    Fault(
        "a job that waits for ever",
        both(drop(hot("UPDATE", type="gather", blocked_by=0)), edit(hot("DELETE"), nth=-1, at=3600)),
        "I7",
        "released in time",
    ),
    # I8
    Fault("a miscounted attempt", edit(closing(type="leaf"), attempt=1), "I8", "attempts and crashes"),
    Fault("a miscounted crash", edit(closing(type="leaf"), crashes=0), "I8", "attempts and crashes"),
    # I9
    Fault("a key that is freed early", drop(hot("DELETE", type="keyed")), "I9", "one holder", "was freed"),
    Fault("a key that is kept", drop(where("dedup_key", "DELETE")), "I9", "keys are given back"),
    Fault("a key that is not taken", drop(where("dedup_key", "INSERT")), "I9", "keys are taken"),
    # I10
    Fault(
        "a start that is lost", list, "I10", "committed starts are there", facts=Facts(committed=frozenset({UNDONE}))
    ),
    Fault(
        "a start that was undone",
        edit(where("job", "INSERT"), chain_id=UNDONE),
        "I10",
        "undone starts are not",
        facts=Facts(rolled_back=frozenset({UNDONE})),
    ),
    # I11
    Fault(
        "a lease reaped alive",
        edit(claim(token=7), leased_until=later(60, "claimed_at")),
        "I11",
        "reaped when it ran out",
    ),
    Fault("a lease never reaped", edit(hot("UPDATE", type="leaf", crashes=1), at=60), "I11", "taken back in time"),
    Fault("a chain that stays open", drop(hot("DELETE", type="keyed")), "I11", "every chain ends"),
    # I12
    Fault(
        "a job passed over",
        both(
            edit(hot("INSERT", type="leaf"), nth=-1, at=-60, run_at=later(-60, "run_at")),
            early(hot("INSERT", type="leaf"), -1),
        ),
        "I12",
        "best first",
    ),
    # I13
    Fault("an effect of nobody", edit(written(kind="effect"), token=5), "I13", "effects of closings", "closed nothing"),
    Fault("an effect twice", double(written(kind="effect")), "I13", "effects of closings", "2 effects"),
    Fault(
        "an effect of another commit", edit(written(kind="effect"), tx=9), "I13", "effects of closings", "one commit"
    ),
    Fault("a closing without effect", drop(written(kind="effect")), "I13", "closings with effects"),
]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Change]:
    """The history of a small run."""
    changes = asyncio.run(history(f"sqlite:///{tmp_path_factory.mktemp('small')}/otelq.db"))
    assert check(changes, FACTS) == []
    return changes


@pytest.mark.parametrize("backend", ["sqlite", "postgres18"], indirect=True)
async def test_nothing_is_found_in_a_sound_history(backend: str) -> None:
    changes = await history(backend)
    assert check(changes, FACTS) == []
    assert {change.table for change in changes} >= {"job", "open_job", "outcome", "attempt", "blocker", "dedup_key"}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_found(sound: Sequence[Change], fault: Fault) -> None:
    found = check(fault.forge(sound), fault.facts)
    assert [
        one
        for one in found
        if (one.invariant, one.check) == (fault.invariant, fault.title) and fault.words in one.detail
    ], "\n".join(map(str, found))


def test_a_handler_may_start_under_a_claim_that_a_crash_forgot(sound: Sequence[Change]) -> None:
    start = next(change for change in sound if written(kind="start")(change))
    forged = edit(written(kind="start"), token=99)(sound)
    crash = start.at - timedelta(seconds=1), start.at
    assert "starts are claimed" in {one.check for one in check(forged, FACTS)}
    assert "starts are claimed" not in {one.check for one in check(forged, replace(FACTS, crashes=[crash]))}
    long_ago = start.at - timedelta(hours=2), start.at - timedelta(hours=1)
    assert "starts are claimed" in {one.check for one in check(forged, replace(FACTS, crashes=[long_ago]))}


@pytest.mark.parametrize("backend", ["sqlite", "postgres18"], indirect=True)
async def test_who_is_redriven_waits_from_then_on_for_all_that_it_waited_for(backend: str) -> None:
    changes = await history(backend, of=cancelled_waits)
    redriven = next(change.seq for change in changes if where("outcome", "UPDATE")(change))
    let_go = [change.seq for change in changes if where("outcome", "INSERT", type="leaf")(change)][-1]
    late = [replace(one, at=one.at + timedelta(hours=(one.seq >= redriven) + (one.seq >= let_go))) for one in changes]
    assert [one for one in check(late, FACTS) if one.invariant == "I7"] == []
    too_late = edit(where("open_job", "UPDATE", old_blocked_by=1, blocked_by=0), at=3600)(changes)
    assert "released in time" in {one.check for one in check(too_late, FACTS)}


def test_every_kind_of_finding_has_a_fault_that_brings_it_about() -> None:
    planted = {(fault.invariant, fault.title) for fault in FAULTS if fault.title != "rows that fit"}
    assert set(_titles()) == planted


def test_every_oddity_of_rows_has_a_fault_that_brings_it_about() -> None:
    planted = [fault.words for fault in FAULTS if fault.title == "rows that fit"]
    told = re.findall(r'_find_odd\(\s*change,\s*"I\d+",\s*f?"([^"]+)"', Path(verbs.__file__).read_text())
    assert len(told) > 12
    for detail in told:
        fixed = max(re.split(r"\{[^}]*\}", detail), key=len).strip()
        assert any(fixed in words or words in fixed for words in planted), fixed


def _titles() -> Iterator[tuple[str, str]]:
    for file in Path(checks.__file__).parent.glob("*.py"):
        yield from re.findall(r'found\(\s*"(I\d+)",\s*"([^"]+)"', file.read_text())
