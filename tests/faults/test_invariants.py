"""Each check of `otelq_verify.invariants` finds what it is there for, and nothing in tables that are sound."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import otelq
from otelq.errors import InvalidArgument
from otelq.model import ClaimRequest, Closure, Continues, Successor
from otelq_verify.invariants import checks, violations
from tests.conftest import POSTGRES, StartServer, on_every

from . import handlers
from .conftest import SHARED, FreshDatabase
from .fleet import ROOT
from .observer import Observer

TABLES = ("job", "open_job", "outcome", "attempt", "blocker", "dedup_key", "pending_unblock")

jobs = otelq.Jobs()


@jobs.job("unsteady", retry=otelq.RetryPolicy(initial=0))
async def unsteady(attempt: otelq.Attempt[None]) -> None:
    await handlers.record(attempt, await attempt.completion())
    if attempt.number == 1:
        raise ConnectionError("the first attempt fails")


waits = otelq.JobType("waits", input=int, output=int)

# What is done to sound tables, by the check that must see it. {names in braces} are tables, <names> are chains.
PLANTED: Mapping[str, Sequence[Sequence[str]]] = {
    "i1_one_lease": [["INSERT INTO {open_job} SELECT * FROM {open_job} WHERE chain_id = <held>"]],
    "i1_token_used_once": [
        [
            "UPDATE {outcome} SET token = (SELECT token FROM {attempt} WHERE chain_id = <retried>)"
            " WHERE chain_id = <retried>"
        ]
    ],
    "i2_attempts_apart": [
        [
            "UPDATE {attempt} SET ended_at = (SELECT closed_at FROM {outcome} WHERE chain_id = <retried>)"
            " WHERE chain_id = <retried>"
        ]
    ],
    "i2_closed_by_holder": [["UPDATE {outcome} SET token = NULL WHERE chain_id = <walked> AND position = 1"]],
    "i3_one_outcome": [
        ["INSERT INTO {outcome} SELECT * FROM {outcome} WHERE chain_id = <retried>"],
        ["UPDATE {outcome} SET generation = 2 WHERE chain_id = <redriven> AND generation = 1"],
    ],
    "i3_stays_closed": [
        ["UPDATE {open_job} SET chain_id = <walked>, position = 2 WHERE chain_id = <held>"],
        [
            "UPDATE {outcome} SET closed_at = (SELECT claimed_at FROM {attempt} WHERE chain_id = <retried>)"
            " WHERE chain_id = <retried>"
        ],
    ],
    "i4_no_gaps": [
        ["DELETE FROM {job} WHERE chain_id = <walked> AND position = 1"],
        ["DELETE FROM {job} WHERE chain_id = <walked> AND position = 0"],
        ["INSERT INTO {job} SELECT * FROM {job} WHERE chain_id = <held>"],
    ],
    "i4_one_open_job": [
        ["DELETE FROM {open_job} WHERE chain_id = <waiting>"],
        ["INSERT INTO {open_job} SELECT * FROM {open_job} WHERE chain_id = <waiting>"],
        ["UPDATE {open_job} SET position = 1 WHERE chain_id = <waiting>"],
        ["DELETE FROM {job} WHERE chain_id = <waiting>"],
        ["DELETE FROM {outcome} WHERE chain_id = <walked> AND position = 2"],
    ],
    "i5_successor": [
        ["DELETE FROM {job} WHERE chain_id = <walked> AND position = 2"],
        ["UPDATE {outcome} SET status = 'completed' WHERE chain_id = <walked> AND position = 0"],
        ["DELETE FROM {outcome} WHERE chain_id = <walked> AND position = 0"],
        [
            "UPDATE {job} SET created_at ="
            " (SELECT claimed_at FROM {outcome} WHERE chain_id = <walked> AND position = 0)"
            " WHERE chain_id = <walked> AND position = 1"
        ],
    ],
    "i7_count": [["DELETE FROM {blocker} WHERE chain_id = <waiting>"]],
    "i7_not_before": [
        ["UPDATE {outcome} SET status = 'failed' WHERE chain_id = <walked> AND position = 2"],
        ["UPDATE {blocker} SET blocker_id = <held> WHERE chain_id = <retried>"],
        [
            "UPDATE {outcome} SET closed_at = (SELECT closed_at FROM {outcome} WHERE chain_id = <retried>)"
            " WHERE chain_id = <walked> AND position = 2"
        ],
    ],
    "i7_not_stranded": [
        ["UPDATE {blocker} SET blocker_id = <walked> WHERE chain_id = <waiting>"],
        ["UPDATE {blocker} SET blocker_id = <lasting> WHERE chain_id = <waiting>"],
    ],
    "i8_attempts": [
        ["UPDATE {open_job} SET attempt = 2 WHERE chain_id = <held>"],
        ["UPDATE {outcome} SET crashes = 1 WHERE chain_id = <retried>"],
        ["DELETE FROM {attempt} WHERE chain_id = <retried>"],
        ["UPDATE {attempt} SET generation = 1 WHERE chain_id = <retried>"],
        ["UPDATE {outcome} SET attempt = 1 WHERE chain_id = <redriven> AND generation = 1"],
    ],
    "i9_key_has_holder": [
        ["UPDATE {dedup_key} SET chain_id = <walked>"],
        ["UPDATE {dedup_key} SET type = 'other'"],
        ["DELETE FROM {job} WHERE chain_id = <lasting>"],
    ],
    "i9_one_holder": [["INSERT INTO {dedup_key} (type, key, chain_id) SELECT type, key, <held> FROM {dedup_key}"]],
    "i13_written_once": [
        ["INSERT INTO ledger SELECT * FROM ledger WHERE chain_id = <retried>"],
        ["DELETE FROM ledger WHERE chain_id = <retried>"],
        [
            "UPDATE ledger SET token = (SELECT token FROM {attempt} WHERE chain_id = <retried>)"
            " WHERE chain_id = <retried>"
        ],
    ],
}
PLANTS = [(check, plant) for check, plants in PLANTED.items() for plant in plants]


class Sound:
    """Tables with a bit of everything, written by otelq itself, that can be copied for a test."""

    def __init__(self, url: str, names: Mapping[str, str], server: StartServer, backend: str) -> None:
        self.url = url
        self.names = names
        self._server = server
        self._backend = backend

    def copy(self, folder: Path) -> str:
        if self._backend == "sqlite":
            shutil.copy(self.url.removeprefix("sqlite:///"), folder / "copy.db")
            return f"sqlite:///{folder}/copy.db"
        server = self._server(POSTGRES[self._backend])
        return server.create_database(template=urlsplit(self.url).path.lstrip("/"))


@pytest.fixture(scope="module", params=on_every(*SHARED))
def sound(
    request: pytest.FixtureRequest,
    fresh_database: FreshDatabase,
    postgres_server: StartServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Sound:
    folder = tmp_path_factory.mktemp("sound")
    url = fresh_database(request.param, folder)
    return Sound(url, asyncio.run(write_history(url, folder)), postgres_server, request.param)


async def write_history(url: str, folder: Path) -> dict[str, str]:
    async with otelq.connect(url) as client:
        Observer(url).make_ledger()
        return await write_chains(client, folder)


async def write_chains(client: otelq.Client, folder: Path) -> dict[str, str]:
    walked = await client.start(handlers.first_step, handlers.Walk([0, 0, 0], [0, 0, 0]))
    retried = await client.start(unsteady, None, blockers=[walked])
    notebook = handlers.Notebook(folder, "here")
    async with otelq.Worker(client, jobs, handlers.walks, poll_interval=0.05, provide=[notebook]):
        await client.result(retried, timeout=20)
    held = await client.start(waits, 1, dedup=otelq.Dedup("key"))
    await client.engine.state.claim([ClaimRequest(type="waits", limit=1, lease=3600)], worker="there", token=7)
    waiting = await client.start(waits, 2, blockers=[held])
    lasting = await client.start(waits, 3, dedup=otelq.Dedup("lasting", scope="any"))
    redriven = await client.start(waits, 4)
    await client.cancel(lasting, redriven)
    await client.redrive(redriven)
    await client.cancel(redriven)
    await client.start(waits, 5, blockers=otelq.AllOf(lasting, on_failure="wait"))
    onward = Closure(
        chain_id=(await client.start(waits, 6, blockers=[held])).id,
        step="waits",
        outcome=Continues(Successor(type="waits", input="7")),
    )
    await client.engine.state.complete_externally([onward])
    chains = {"walked": walked, "retried": retried, "held": held, "waiting": waiting}
    return {name: chain.id for name, chain in {**chains, "lasting": lasting, "redriven": redriven}.items()}


@pytest.fixture
def relaxed(sound: Sound, tmp_path: Path) -> Observer:
    """A copy whose tables have lost their constraints, so that anything can be planted."""
    observer = Observer(sound.copy(tmp_path))
    observer.execute("DROP VIEW {jobs}")
    for table in TABLES:
        observer.execute(f"CREATE TABLE relaxed AS SELECT * FROM {{{table}}}", f"DROP TABLE {{{table}}}")
        if observer.is_sqlite:
            observer.execute(f"ALTER TABLE relaxed RENAME TO otelq_{table}")
        else:
            observer.execute("ALTER TABLE relaxed SET SCHEMA otelq", f"ALTER TABLE otelq.relaxed RENAME TO {table}")
    return observer


async def test_sound_tables_violate_nothing(sound: Sound) -> None:
    assert await violations(sound.url, ledger="ledger") == []


async def test_tables_without_constraints_violate_nothing_either(relaxed: Observer) -> None:
    assert await violations(relaxed.url, ledger="ledger") == []


@pytest.mark.parametrize("check, plant", PLANTS, ids=[check for check, _ in PLANTS])
async def test_what_was_planted_is_found(sound: Sound, relaxed: Observer, check: str, plant: Sequence[str]) -> None:
    for statement in plant:
        for name, chain_id in sound.names.items():
            statement = statement.replace(f"<{name}>", f"'{chain_id}'")
        relaxed.execute(statement)
    invariant, _, name = check.partition("_")
    found = {(violation.invariant, violation.check) for violation in await violations(relaxed.url, ledger="ledger")}
    assert (invariant.upper(), name.replace("_", " ")) in found


def test_for_each_check_something_is_planted() -> None:
    assert set(PLANTED) == set(checks())


def test_the_reference_lists_each_check_with_its_promise() -> None:
    page = (ROOT / "docs" / "reference" / "verification.md").read_text()
    listed = dict(re.findall(r"^\| `(i\d+_\w+)` \| (.+) \|$", page, re.MULTILINE))
    assert listed == {name: text.splitlines()[0].removeprefix("-- ") for name, text in checks().items()}


async def test_a_violation_names_the_job_and_what_is_wrong(sound: Sound, relaxed: Observer) -> None:
    relaxed.execute(f"DELETE FROM {{outcome}} WHERE chain_id = '{sound.names['walked']}' AND position = 2")
    [found] = [violation for violation in await violations(relaxed.url) if violation.check == "one open job"]
    assert str(found) == f"I4 one open job: {sound.names['walked']}.2: neither open nor ended"


async def test_a_name_that_is_no_identifier_is_refused() -> None:
    for argument in ("schema", "ledger"):
        with pytest.raises(InvalidArgument, match=argument):
            await violations("memory://", **{argument: "x; DROP TABLE y"})


async def test_a_target_that_is_no_database_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="target"):
        await violations(object())
