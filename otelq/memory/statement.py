"""The moves that one statement makes on the tables, each noted as a transition."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from ..errors import InvalidArgument, JobAlreadyClosed, JobTypeMismatch, NotFound, StillReferenced
from ..model import (
    AttemptRecord,
    Claimed,
    Closure,
    Completes,
    Continues,
    Created,
    Fails,
    Failure,
    Keep,
    Lease,
    NewJob,
    ReapRule,
    Releases,
    Retries,
    Settlement,
    Snoozes,
    Status,
    Successor,
    Transition,
    Verb,
    Verdict,
    Wanted,
)
from ..transitions import is_legal
from .store import Chain, Ended, OpenJob, Outcome, Request, Store

MOST_DEPENDENTS = 1000
"""How many waiting chains one statement lets go; the others are left to ``mop_up``."""


class Statement:
    """One statement at the time ``now``; ``made`` are its transitions so far."""

    def __init__(self, store: Store, now: datetime) -> None:
        self._store = store
        self._now = now
        self._budget = MOST_DEPENDENTS
        self._closed: deque[str] = deque()
        self.made: list[Transition] = []

    # Start

    def create(self, job: NewJob, *, again: bool) -> Created:
        if found := self._store.chains.get(job.chain_id):
            return self._found(found, job, again=again)
        if job.dedup and (holder := self._store.holders.get((job.type, job.dedup.key))):
            return Created(chain_id=holder, deduplicated=True)
        self._insert(job)
        return Created(chain_id=job.chain_id)

    def _found(self, chain: Chain, job: NewJob, *, again: bool) -> Created:
        first = self._store.requests[chain.chain_id, 0]
        if not again or (first.type, first.input) != (job.type, job.input):
            return Created(chain_id=job.chain_id, exists=True)
        self.made += chain.made
        return Created(chain_id=job.chain_id)

    def _insert(self, job: NewJob) -> None:
        standing = {blocker: self._standing(blocker) for blocker in job.blockers}
        ended_badly = [blocker for blocker, status in standing.items() if status in _BAD_ENDS]
        awaits = sum(status is not Status.COMPLETED for status in standing.values())
        chain = Chain(
            chain_id=job.chain_id,
            type=job.type,
            created_at=self._now,
            blockers=job.blockers,
            dedup=job.dedup.key if job.dedup else None,
        )
        self._store.chains.put(job.chain_id, chain)
        if chain.dedup is not None:
            self._store.holders.put((job.type, chain.dedup), job.chain_id)
        mark = len(self.made)
        row = self._append(job, job.chain_id, 0, priority=job.priority, awaits=awaits)
        if ended_badly:
            self._fail_by(ended_badly[0], row)
        self._store.chains.put(job.chain_id, replace(chain, made=tuple(self.made[mark:])))

    def _standing(self, blocker: str) -> Status:
        """How a blocker stands; all open statuses are alike here."""
        if blocker not in self._store.chains:
            raise NotFound(f"the blocker {blocker} does not exist")
        return Status.READY if blocker in self._store.open else self._last_outcome(blocker).status

    def _last_outcome(self, chain_id: str) -> Outcome:
        return self._store.outcomes[chain_id, self._store.lengths[chain_id] - 1]

    def _append(
        self, job: NewJob | Successor, chain_id: str, position: int, *, priority: int, awaits: int = 0
    ) -> OpenJob:
        request = Request(
            chain_id=chain_id,
            position=position,
            type=job.type,
            queue=job.queue,
            input=job.input,
            created_at=self._now,
            trace=job.trace,
            meta=job.meta,
        )
        row = OpenJob(
            chain_id=chain_id,
            position=position,
            type=job.type,
            priority=priority,
            run_at=self._due(job),
            awaits=awaits,
        )
        self._store.requests.put((chain_id, position), request)
        self._store.lengths.put(chain_id, position + 1)
        self._store.open.put(chain_id, row)
        self._note(Verb.CREATE, row, source=None, target=row.status(self._now))
        return row

    def _due(self, job: NewJob | Successor) -> datetime:
        if job.at is not None:
            return max(job.at, self._now)
        return self._in(job.delay or 0)

    def _in(self, seconds: float) -> datetime:
        return self._now + timedelta(seconds=max(seconds, 0))

    # Claim

    def claim(self, wanted: Wanted, *, worker: str, token: int, suspects: bool) -> list[Claimed]:
        claimed: list[Claimed] = []
        while len(claimed) < wanted.limit:
            row = self._store.first_due(wanted.type, now=self._now, suspects=suspects)
            if row is None:
                break
            suspects = suspects and not row.crashes
            claimed.append(self._lease(row, wanted, worker=worker, token=token))
        return claimed

    def _lease(self, row: OpenJob, wanted: Wanted | Keep, *, worker: str, token: int) -> Claimed:
        deadline = None if wanted.timeout is None else self._in(wanted.timeout)
        leased = replace(
            row,
            attempt=row.attempt + 1,
            token=token,
            leased_by=worker,
            claimed_at=self._now,
            leased_until=_earlier(self._in(wanted.lease), deadline),
            deadline=deadline,
        )
        self._store.open.put(row.chain_id, leased)
        self._note(Verb.CLAIM, leased, source=Status.READY, target=Status.RUNNING, due_at=row.run_at, worker=worker)
        return self._claimed(leased, token)

    def _claimed(self, row: OpenJob, token: int) -> Claimed:
        chain = self._store.chains[row.chain_id]
        request = self._store.requests[row.chain_id, row.position]
        assert row.claimed_at is not None
        assert row.leased_until is not None
        return Claimed(
            lease=Lease(row.chain_id, row.position, token),
            type=row.type,
            queue=request.queue,
            chain_type=chain.type,
            input=request.input,
            attempt=row.attempt,
            crashes=row.crashes,
            priority=row.priority,
            due_at=row.run_at,
            created_at=request.created_at,
            chain_created_at=chain.created_at,
            claimed_at=row.claimed_at,
            leased_until=row.leased_until,
            blockers=0 if row.position else len(chain.blockers),
            trace=request.trace,
            last_trace=row.last_trace,
            meta=request.meta,
        )

    def disown(self, token: int) -> None:
        for row in self._running():
            if row.token == token:
                self._give_back(row, Verb.RELEASE, worker=row.leased_by)

    # Settle

    def settle(self, item: Settlement, kept: dict[str, Claimed]) -> Verdict:
        """Write one outcome under its token; a granted successor is put into ``kept``."""
        row = self._held(item.job.lease)
        if row is None:
            return self._repeat(item.job.lease, kept)
        mark = len(self.made)
        granted = self._apply(row, item)
        self.follow()
        if granted:
            kept[row.chain_id] = granted
        self._end_attempt(
            row,
            self.made[mark],
            failure=_failure(item),
            trace=item.trace,
            made=tuple(self.made[mark:]),
            kept=granted,
        )
        return Verdict.DONE

    def _held(self, lease: Lease) -> OpenJob | None:
        row = self._store.open.get(lease.chain_id)
        held = row is not None and (row.position, row.token) == (lease.position, lease.token)
        return row if held else None

    def _repeat(self, lease: Lease, kept: dict[str, Claimed]) -> Verdict:
        for ended in self._store.attempts.get((lease.chain_id, lease.position)) or ():
            if ended.record.token == lease.token and ended.made is not None:
                self.made += ended.made
                if ended.kept and self._held(ended.kept.lease):
                    kept[lease.chain_id] = ended.kept
                return Verdict.DONE
        return self.lost(lease)

    def lost(self, lease: Lease) -> Verdict:
        """Why the token no longer counts."""
        is_closed = lease.chain_id in self._store.chains and lease.chain_id not in self._store.open
        if is_closed and self._last_outcome(lease.chain_id).status is Status.CANCELLED:
            return Verdict.CANCELLED
        return Verdict.LOST

    def _apply(self, row: OpenJob, item: Settlement) -> Claimed | None:
        match item.outcome:
            case Completes(output):
                self._close(Verb.COMPLETE, row, Status.COMPLETED, output=output, worker=item.worker)
            case Continues(successor, keep):
                following = self._continue(Verb.CONTINUE, row, successor, worker=item.worker)
                return self._keep(following, keep, worker=item.worker) if keep else None
            case Retries(delay, failure):
                self._put_back(Verb.RETRY, row, delay=delay, item=item, failure=failure)
            case Snoozes(delay):
                self._put_back(Verb.SNOOZE, row, delay=delay, item=item)
            case Fails(failure):
                self._close(Verb.FAIL, row, Status.FAILED, failure=failure, worker=item.worker)
            case Releases():
                self._put_back(Verb.RELEASE, row, delay=0, item=item)
        return None

    def _put_back(
        self, verb: Verb, row: OpenJob, *, delay: float, item: Settlement, failure: Failure | None = None
    ) -> None:
        attempt = row.attempt if verb is Verb.RETRY else row.attempt - 1
        waiting = replace(_unleased(row), attempt=attempt, run_at=self._in(delay), last_trace=item.trace)
        self._store.open.put(row.chain_id, waiting)
        self._note(
            verb,
            row,
            source=Status.RUNNING,
            target=waiting.status(self._now),
            due_at=waiting.run_at,
            error_type=failure.type if failure else None,
            worker=item.worker,
        )

    def _continue(self, verb: Verb, row: OpenJob, successor: Successor, *, worker: str | None = None) -> OpenJob:
        self._store.outcomes.put((row.chain_id, row.position), self._outcome(row, Status.CONTINUED))
        self._note(verb, row, source=row.status(self._now), target=Status.CONTINUED, worker=worker)
        priority = row.priority if successor.priority is None else successor.priority
        return self._append(successor, row.chain_id, row.position + 1, priority=priority)

    def _keep(self, row: OpenJob, keep: Keep, *, worker: str) -> Claimed | None:
        first = self._store.first_due(row.type, now=self._now, suspects=True)
        if first is None or first.chain_id != row.chain_id:
            return None
        return self._lease(row, keep, worker=worker, token=keep.token)

    def _end_attempt(
        self,
        row: OpenJob,
        ending: Transition,
        *,
        failure: Failure | None = None,
        trace: str | None = None,
        made: tuple[Transition, ...] | None = None,
        kept: Claimed | None = None,
    ) -> None:
        assert row.token is not None
        record = AttemptRecord(
            chain_id=row.chain_id,
            position=row.position,
            number=row.attempt,
            token=row.token,
            verb=ending.verb,
            worker=ending.worker or row.leased_by,
            started_at=row.claimed_at,
            ended_at=self._now,
            failure=failure,
            trace=trace,
        )
        key = row.chain_id, row.position
        earlier = self._store.attempts.get(key) or ()
        self._store.attempts.put(key, (*earlier, Ended(record=record, made=made, kept=kept)))

    # Close

    def _close(
        self,
        verb: Verb,
        row: OpenJob,
        status: Status,
        *,
        output: str | None = None,
        failure: Failure | None = None,
        worker: str | None = None,
    ) -> None:
        outcome = replace(self._outcome(row, status), output=output, failure=failure)
        self._store.outcomes.put((row.chain_id, row.position), outcome)
        self._store.open.pop(row.chain_id)
        self._free_key(row.chain_id)
        self._closed.append(row.chain_id)
        self._note(
            verb,
            row,
            source=row.status(self._now),
            target=status,
            error_type=failure.type if failure else None,
            worker=worker,
        )

    def _outcome(self, row: OpenJob, status: Status) -> Outcome:
        return Outcome(
            status=status,
            closed_at=self._now,
            priority=row.priority,
            run_at=row.run_at,
            attempt=row.attempt,
            crashes=row.crashes,
        )

    def _free_key(self, chain_id: str) -> None:
        chain = self._store.chains[chain_id]
        if chain.dedup is not None and self._store.holders.get((chain.type, chain.dedup)) == chain_id:
            self._store.holders.pop((chain.type, chain.dedup))

    def follow(self) -> None:
        """Let go or fail the chains that wait for those that closed; what is too much is left pending."""
        while self._closed:
            blocker = self._closed.popleft()
            waiting = self._store.pending.pop(blocker) or self._store.dependents(blocker)
            if len(waiting) > self._budget:
                self._store.pending.put(blocker, waiting[self._budget :])
            for dependent in waiting[: self._budget]:
                self._budget -= 1
                self._let_go(dependent, blocker)

    def _let_go(self, chain_id: str, blocker: str) -> None:
        row = self._store.open.get(chain_id)
        if row is None or not row.awaits:
            return
        if self._last_outcome(blocker).status in _BAD_ENDS:
            self._fail_by(blocker, row)
        elif row.awaits > 1:
            self._store.open.put(chain_id, replace(row, awaits=row.awaits - 1))
        else:
            self._unblock(row)

    def _unblock(self, row: OpenJob) -> None:
        free = replace(row, awaits=0, run_at=max(row.run_at, self._now))
        self._store.open.put(row.chain_id, free)
        self._note(Verb.UNBLOCK, free, source=Status.BLOCKED, target=free.status(self._now), due_at=free.run_at)

    def _fail_by(self, blocker: str, row: OpenJob) -> None:
        status = self._last_outcome(blocker).status
        failure = Failure(f"otelq.Chain{status.capitalize()}", f"the blocker {blocker} ended {status}")
        self._close(Verb.FAIL_BY_BLOCKER, row, Status.FAILED, failure=failure)

    def mop_up(self, *, limit: int) -> None:
        self._budget = limit
        self._closed.extend(self._store.pending)
        self.follow()

    # Reap

    def reap(self, rules: Sequence[ReapRule], *, spare: Collection[int], limit: int) -> None:
        by_type = {rule.type: rule for rule in rules}
        expired = [
            row
            for row in self._running()
            if row.type in by_type and row.token not in spare and row.leased_until and row.leased_until <= self._now
        ]
        expired.sort(key=lambda row: (row.leased_until, row.chain_id))
        for row in expired[:limit]:
            self._reap(row, by_type[row.type])
        self.follow()

    def _reap(self, row: OpenJob, rule: ReapRule) -> None:
        crashed = replace(row, crashes=row.crashes + 1)
        failure = Failure("otelq.LeaseLost", f"the lease of {row.leased_by} ran out in attempt {row.attempt}")
        if _spent(row.attempt, rule.max_attempts) or crashed.crashes >= rule.max_crashes:
            self._close(Verb.REAP, crashed, Status.FAILED, failure=failure, worker=row.leased_by)
        else:
            waiting = replace(_unleased(crashed), run_at=self._in(rule.delay))
            self._store.open.put(row.chain_id, waiting)
            self._note(
                Verb.REAP,
                row,
                source=Status.RUNNING,
                target=waiting.status(self._now),
                due_at=waiting.run_at,
                error_type=failure.type,
                worker=row.leased_by,
            )
        self._end_attempt(row, self.made[-1], failure=failure)

    def _give_back(self, row: OpenJob, verb: Verb, *, worker: str | None) -> None:
        waiting = replace(_unleased(row), attempt=row.attempt - 1, run_at=self._now)
        self._store.open.put(row.chain_id, waiting)
        self._note(verb, row, source=Status.RUNNING, target=Status.READY, worker=worker)

    def _running(self) -> list[OpenJob]:
        return [self._store.open[chain_id] for chain_id in sorted(self._store.running)]

    # By request

    def finish(self, closure: Closure) -> None:
        row = self._open_job(closure.chain_id)
        if row.type != closure.step:
            raise self._not_the_step(row, closure.step)
        mark = len(self.made)
        match closure.outcome:
            case Completes(output):
                self._close(Verb.COMPLETE_EXTERNALLY, row, Status.COMPLETED, output=output)
            case Continues(successor):
                self._continue(Verb.COMPLETE_EXTERNALLY, row, successor)
        if row.token is not None:
            self._end_attempt(row, self.made[mark])

    def _open_job(self, chain_id: str) -> OpenJob:
        if chain_id not in self._store.chains:
            raise NotFound(f"there is no chain {chain_id}")
        row = self._store.open.get(chain_id)
        if row is None:
            raise JobAlreadyClosed(f"chain {chain_id} is {self._last_outcome(chain_id).status}")
        return row

    def _not_the_step(self, row: OpenJob, step: str) -> JobAlreadyClosed | JobTypeMismatch:
        earlier = (self._store.requests[row.chain_id, position].type for position in range(row.position))
        if step in earlier:
            return JobAlreadyClosed(f"the job {step} of chain {row.chain_id} is closed; {row.type} is open")
        return JobTypeMismatch(f"the open job of chain {row.chain_id} is {row.type}, not {step}")

    def trigger(self, chain_id: str) -> None:
        row = self._open_job(chain_id)
        match row.status(self._now):
            case Status.SCHEDULED:
                self._store.open.put(chain_id, replace(row, run_at=self._now))
                self._note(Verb.TRIGGER, row, source=Status.SCHEDULED, target=Status.READY)
            case Status.BLOCKED | Status.RUNNING as status:
                raise InvalidArgument("chain", f"{chain_id} is {status}; only a scheduled job can be triggered")
            case _:
                pass

    def cancel(self, chain_id: str) -> None:
        row = self._open_job(chain_id)
        self._close(Verb.CANCEL, row, Status.CANCELLED)
        if row.token is not None:
            self._end_attempt(row, self.made[-1])

    def delete(self, chain_ids: Collection[str]) -> None:
        for chain_id in chain_ids:
            self._check_unreferenced(chain_id, chain_ids)
        for chain_id in chain_ids:
            self._delete(chain_id)

    def _check_unreferenced(self, chain_id: str, chain_ids: Collection[str]) -> None:
        if chain_id not in self._store.chains:
            raise NotFound(f"there is no chain {chain_id}")
        for dependent in self._store.dependents(chain_id):
            if dependent not in chain_ids:
                raise StillReferenced(f"chain {dependent} has {chain_id} as a blocker; delete it too, or first")

    def _delete(self, chain_id: str) -> None:
        for position in range(self._store.lengths[chain_id]):
            self._delete_job(chain_id, position)
        self._free_key(chain_id)
        self._store.pending.pop(chain_id)
        self._store.open.pop(chain_id)
        self._store.lengths.pop(chain_id)
        self._store.chains.pop(chain_id)

    def _delete_job(self, chain_id: str, position: int) -> None:
        key = chain_id, position
        if outcome := self._store.outcomes.pop(key):
            source, attempt = outcome.status, outcome.attempt
        else:
            row = self._store.open[chain_id]
            source, attempt = row.status(self._now), row.attempt
        self._transition(Verb.DELETE, key, source=source, target=None, attempt=attempt)
        self._store.attempts.pop(key)
        self._store.requests.pop(key)

    # Notes

    def _note(
        self,
        verb: Verb,
        row: OpenJob,
        *,
        source: Status | None,
        target: Status,
        due_at: datetime | None = None,
        error_type: str | None = None,
        worker: str | None = None,
    ) -> None:
        due_at = row.run_at if verb is Verb.CREATE else due_at
        self._transition(
            verb,
            (row.chain_id, row.position),
            source=source,
            target=target,
            attempt=row.attempt,
            due_at=due_at if verb is Verb.CLAIM or target is Status.SCHEDULED else None,
            error_type=error_type,
            worker=worker,
            last_trace=row.last_trace,
        )

    def _transition(
        self,
        verb: Verb,
        key: tuple[str, int],
        *,
        source: Status | None,
        target: Status | None,
        attempt: int,
        due_at: datetime | None = None,
        error_type: str | None = None,
        worker: str | None = None,
        last_trace: str | None = None,
    ) -> None:
        assert is_legal(verb, source, target), f"{verb} may not take a job from {source} to {target}"
        chain, request = self._store.chains[key[0]], self._store.requests[key]
        self.made.append(
            Transition(
                verb=verb,
                chain_id=request.chain_id,
                position=request.position,
                type=request.type,
                queue=request.queue,
                chain_type=chain.type,
                source=source,
                target=target,
                at=self._now,
                attempt=attempt,
                created_at=request.created_at,
                chain_created_at=chain.created_at,
                due_at=due_at,
                error_type=error_type,
                worker=worker,
                trace=request.trace,
                last_trace=last_trace,
            )
        )


_BAD_ENDS = frozenset({Status.FAILED, Status.CANCELLED})


def _unleased(row: OpenJob) -> OpenJob:
    return replace(row, token=None, leased_by=None, claimed_at=None, leased_until=None, deadline=None)


def _earlier(moment: datetime, other: datetime | None) -> datetime:
    return moment if other is None else min(moment, other)


def _spent(attempt: int, most: int | None) -> bool:
    return most is not None and attempt >= most


def _failure(item: Settlement) -> Failure | None:
    match item.outcome:
        case Retries(_, failure) | Fails(failure):
            return failure
        case _:
            return None
