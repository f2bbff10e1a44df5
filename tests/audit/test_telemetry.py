"""Counters and spans say what the rows say: nothing that was rolled back, and all that was committed, once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from secrets import randbits
from typing import Any, NamedTuple

import pytest

import otelq
from otelq.model import Verb
from otelq_verify.audit import changes, install, read
from otelq_verify.audit.telemetry import (
    SpannedMove,
    difference,
    expected_counts,
    expected_spans,
    reported_counts,
    reported_spans,
)
from tests.servers import PostgresServer
from tests.telemetry.sdk import Sdk

from .callers import POSTGRES_WAYS, SQLITE_WAYS, Caller, later, way

TRANSACTIONS = 40


@pytest.mark.parametrize(
    "name", [f"postgres18-{name}" for name in POSTGRES_WAYS] + [f"sqlite-{n}" for n in SQLITE_WAYS]
)
async def test_what_callers_did_in_transactions_is_told_as_it_was_committed(
    name: str, sdk: Sdk, tmp_path: Path, postgres18: PostgresServer
) -> None:
    seed = randbits(32)
    backend, _, driver = name.partition("-")
    url = postgres18.create_migrated_database() if backend == "postgres18" else f"sqlite:///{tmp_path}/otelq.db"
    async with otelq.connect(url) as auditor:
        await install(auditor)
        async with way(driver, url) as means:
            reporting = otelq.connect(means.target, tracer_provider=sdk.tracers, meter_provider=sdk.meters)
            async with reporting as client:
                chain = await client.start(later, 0)
                await Caller(client, means, Random(seed), [chain]).live(TRANSACTIONS)
        made = read(await changes(auditor))
    assert made.oddities == []
    assert len(made.moves) > TRANSACTIONS / 4
    unknown = sdk.total("otelq.report.unknown")
    assert bool(unknown) <= (not means.tells)
    bounds = Bounds(missing=unknown, is_looked_up=not means.tells)
    agree(reported_counts(sdk.reader.get_metrics_data()), expected_counts(made.moves), bounds, seed=seed)
    agree(_one_by_one(reported_spans(sdk.spans)), _one_by_one(expected_spans(made.moves)), bounds, seed=seed)


class Bounds(NamedTuple):
    """How far reports may differ from what happened."""

    missing: int
    is_looked_up: bool
    """The driver tells no ends, so that they are looked up: a request that was rolled back passes for done if the chain
    then stands as it would, because somebody else closed or deleted it (docs/reference/verification.md)."""


def agree(said: Counter[Any], happened: Counter[Any], bounds: Bounds, *, seed: int) -> None:
    """Nothing was said that did not happen, and at most so much was not said that did."""
    differences = f"seed {seed}\n{difference(said, happened)}"
    doubtful = {Verb.TRIGGER, Verb.DELETE} if bounds.is_looked_up else set[Verb]()
    assert {key for key in said - happened if key[0] not in doubtful} == set(), differences
    assert (happened - said).total() <= bounds.missing, differences


def _one_by_one(spoken: Counter[SpannedMove]) -> Counter[tuple[str, str, str]]:
    """Without the jobs that were created, as the span of a batch names none."""
    plain: Counter[tuple[str, str, str]] = Counter()
    for (verb, type, job), count in spoken.items():
        plain[verb, type, "" if verb == Verb.CREATE else job] += count
    return plain
