"""Starts of many at once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from otelq.errors import Refused
from otelq.model import JobQuery, NewJob, Status
from otelq.postgres.start import LARGE
from otelq.postgres.state import PostgresState

from .shortcuts import job, start

ODD = 'tab\t newline\n return\r backslash\\ \\N quote" and \u2028'


async def stored(state: PostgresState, new: NewJob) -> tuple[object, ...]:
    (found,) = (await state.jobs(JobQuery(chain_ids=(new.chain_id,)))).items
    return found.type, found.queue, found.input, found.priority, found.status, found.trace, found.meta


async def test_a_large_batch_is_stored_as_the_same_jobs_one_by_one(state: PostgresState) -> None:
    fields = {"queue": ODD, "trace": ODD, "meta": '{"a": "\\t\\\\N"}', "priority": -3}
    few = [job(ODD, input='{"text": "\\n \\\\N \\u00e9"}', **fields), job(input="[1.50, null]", delay=60.0)]
    many = [job(each.type, **{name: getattr(each, name) for name in (*fields, "input", "delay")}) for each in few]

    await state.create(few)
    created, made = await state.create(many + [job() for _ in range(LARGE)])

    assert [await stored(state, each) for each in many] == [await stored(state, each) for each in few]
    assert not any(each.exists for each in created)
    assert [change.target for change in made[:3]] == [Status.READY, Status.SCHEDULED, Status.READY]
    assert made[1].due_at == made[1].at + timedelta(seconds=60)


async def test_an_id_that_exists_harms_none_of_its_neighbours_in_a_large_batch(state: PostgresState) -> None:
    taken = await start(state)
    batch = [job() for _ in range(LARGE)]
    batch[7] = NewJob(chain_id=taken, type="a", input="1")

    created, made = await state.create(batch)

    assert [n for n, each in enumerate(created) if each.exists] == [7]
    assert len(made) == LARGE - 1


@pytest.mark.parametrize("text", ['"\\u0000"', '"\0"', '"\ud800"', "1e400000", "{", "[" * 20_000 + "]" * 20_000])
async def test_a_value_that_cannot_be_stored_refuses_a_large_batch_whole(state: PostgresState, text: str) -> None:
    good = job()

    with pytest.raises(Refused):
        await state.create([good, *(job() for _ in range(LARGE)), job(input=text)])

    assert await state.outcomes([good.chain_id]) == {}
