"""A worker whose role lacks a right: one line with the missing GRANT, some tries, and an error."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

import otelq

from ..behaviour.support import for_ever, until

jobs = otelq.Jobs()


@jobs.job("rights.greet")
async def greet(attempt: otelq.Attempt[str]) -> str:
    return attempt.input.upper()


@dataclass
class Role:
    """A role that may log in, and a connection of the owner of the tables."""

    name: str
    url: str
    owner: asyncpg.Connection[Any]

    async def run(self, statement: str) -> None:
        await self.owner.execute(statement.format(role=self.name))


@pytest.fixture
async def role(postgres_url: str) -> AsyncIterator[Role]:
    """A role that may read the version of the schema, and nothing else."""
    owner = await asyncpg.connect(postgres_url)
    role = Role(name := f"o{secrets.token_hex(4)}", postgres_url.replace("//postgres@", f"//{name}@"), owner)
    async with otelq.connect(postgres_url):
        pass  # which makes the tables
    await role.run("CREATE ROLE {role} LOGIN")
    yield role
    await role.run("DROP OWNED BY {role} CASCADE; DROP ROLE {role}")
    await owner.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otelq.loop.FORBIDDEN_PAUSES", (0.01, 0.02, 0.04, 0.08))


def grants_in(text: str) -> list[str]:
    return re.findall(r"GRANT .+? TO \w+", text)


@pytest.mark.usefixtures("impatient")
async def test_a_worker_without_rights_logs_one_line_and_gives_up_with_the_missing_grant(
    role: Role, caplog: pytest.LogCaptureFixture
) -> None:
    await role.run("GRANT USAGE ON SCHEMA otelq TO {role}; GRANT SELECT ON otelq.migration TO {role}")
    with pytest.raises(otelq.OtelqError, match="could not go on") as raised:
        async with otelq.connect(role.url, notify=None) as client, otelq.Worker(client, jobs):
            await for_ever()

    [line] = [record.getMessage() for record in caplog.records]
    assert grants_in(line) == grants_in(str(raised.value))
    assert "GRANT SELECT, UPDATE ON otelq.attempt, otelq.blocker, otelq.cycle_check" in line
    assert "GRANT INSERT, DELETE ON otelq.attempt, otelq.blocker, otelq.dedup_key" in line


async def test_the_grants_of_the_line_are_enough(role: Role, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="otelq.loop")
    await role.run("GRANT USAGE ON SCHEMA otelq TO {role}; GRANT SELECT ON otelq.migration TO {role}")
    async with otelq.connect(role.url) as client, otelq.Worker(client, jobs):
        await until(lambda: caplog.records)
        await role.run("; ".join(grants_in(caplog.records[0].getMessage())))

        assert await client.result(await client.start(greet, "now")) == "NOW"

        await until(lambda: caplog.records[-1].getMessage().endswith("works again"))
    assert len(caplog.records) == 2


@pytest.mark.usefixtures("impatient")
async def test_a_worker_lives_through_rights_that_are_taken_for_a_while(
    role: Role, caplog: pytest.LogCaptureFixture
) -> None:
    work = "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA otelq"
    await role.run("GRANT USAGE ON SCHEMA otelq TO {role}; " + f"GRANT {work} TO {{role}}")
    caplog.set_level(logging.DEBUG, logger="otelq.loop")
    async with otelq.connect(role.url) as client, otelq.Worker(client, jobs, poll_interval=0.01):
        assert await client.result(await client.start(greet, "before")) == "BEFORE"
        await role.run(f"REVOKE {work} FROM {{role}}")
        await until(lambda: len(caplog.records) > 10)
        await role.run(f"GRANT {work} TO {{role}}")

        assert await client.result(await client.start(greet, "after")) == "AFTER"


async def test_opening_without_rights_names_the_missing_grant(role: Role) -> None:
    with pytest.raises(otelq.OtelqError, match="permission denied") as raised:
        await otelq.connect(role.url).open()

    assert grants_in(str(raised.value))[0] == f"GRANT USAGE ON SCHEMA otelq TO {role.name}"
