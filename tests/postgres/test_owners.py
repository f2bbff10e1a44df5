"""A schema that somebody else made: refused where it would be changed, named where it is used by a superuser."""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncIterator

import asyncpg
import pytest

import otelq
from otelq.postgres import dump
from otelq.postgres.schema_owner import TABLES

greet = otelq.JobType("greet", input=str, output=str)


class Roles:
    """Roles of a test, and URLs by which they log in."""

    def __init__(self, url: str, connection: asyncpg.Connection) -> None:
        self.connection = connection
        self.made: list[str] = []
        self._url = url

    async def make(self, name: str, *, member_of: str | None = None) -> str:
        """Make a role with a name like this, which may create in the database."""
        role = f"{name}_{secrets.token_hex(4)}"
        await self.connection.execute(f"CREATE ROLE {role} LOGIN" + (f" IN ROLE {member_of}" if member_of else ""))
        database = self._url.rpartition("/")[2]
        await self.connection.execute(f"GRANT CREATE ON DATABASE {database} TO {role}")
        self.made.append(role)
        return role

    def url(self, role: str) -> str:
        """The URL by which it logs in."""
        return self._url.replace("//postgres@", f"//{role}@")

    async def run_as(self, role: str, *statements: str) -> None:
        """Run statements with its rights."""
        connection = await asyncpg.connect(self.url(role))
        for statement in statements:
            await connection.execute(statement)
        await connection.close()


@pytest.fixture
async def roles(empty_postgres_url: str) -> AsyncIterator[Roles]:
    connection = await asyncpg.connect(empty_postgres_url)
    roles = Roles(empty_postgres_url, connection)
    yield roles
    for role in roles.made:
        await connection.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")
    await connection.close()


async def test_a_superuser_does_not_migrate_into_the_schema_of_somebody_else(
    empty_postgres_url: str, roles: Roles
) -> None:
    stranger = await roles.make("stranger")
    await roles.run_as(stranger, "CREATE SCHEMA otelq")
    with pytest.raises(otelq.OtelqError, match=f"it belongs to '{stranger}'.* run `otelq migrate` as '{stranger}'"):
        await otelq.connect(empty_postgres_url).open()
    assert await roles.connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'otelq'") == 0


async def test_a_table_of_somebody_else_is_refused_too(empty_postgres_url: str, roles: Roles) -> None:
    stranger = await roles.make("stranger")
    await roles.connection.execute(f"CREATE SCHEMA otelq; GRANT CREATE, USAGE ON SCHEMA otelq TO {stranger}")
    await roles.run_as(stranger, "CREATE TABLE otelq.migration (version integer, name text, applied_at timestamptz)")
    with pytest.raises(otelq.OtelqError, match=f"a table in it belongs to '{stranger}'"):
        await otelq.connect(empty_postgres_url).open()


async def test_a_member_of_the_owner_migrates(roles: Roles, caplog: pytest.LogCaptureFixture) -> None:
    owner = await roles.make("owner")
    member = await roles.make("member", member_of=owner)
    await roles.run_as(owner, "CREATE SCHEMA otelq")
    async with otelq.connect(roles.url(member)) as client:
        await client.start(greet, "ada")
    assert not caplog.records


@pytest.mark.parametrize("migrate", [True, False])
async def test_an_application_uses_what_an_owner_made_that_it_is_not_in(
    roles: Roles, caplog: pytest.LogCaptureFixture, migrate: bool
) -> None:
    owner, app = await roles.make("owner"), await roles.make("app")
    await roles.run_as(owner, dump(), f"GRANT USAGE ON SCHEMA otelq TO {app}")
    await roles.run_as(owner, f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA otelq TO {app}")
    async with otelq.connect(roles.url(app), migrate=migrate) as client:
        await client.start(greet, "ada")
    assert not caplog.records


@pytest.mark.parametrize("migrate", [True, False])
async def test_a_superuser_is_told_whose_triggers_it_runs(
    empty_postgres_url: str, roles: Roles, caplog: pytest.LogCaptureFixture, migrate: bool
) -> None:
    owner = await roles.make("owner")
    await roles.run_as(owner, dump())
    async with otelq.connect(empty_postgres_url, migrate=migrate):
        pass
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings
    assert all(f"belongs to '{owner}', whose triggers run with the rights of 'postgres'" in text for text in warnings)


async def test_a_trigger_that_neither_owner_nor_application_made_is_named(
    roles: Roles, caplog: pytest.LogCaptureFixture
) -> None:
    owner, app, guest = await roles.make("owner"), await roles.make("app"), await roles.make("guest")
    await roles.run_as(owner, dump(), f"GRANT USAGE ON SCHEMA otelq TO {app}, {guest}")
    await roles.run_as(owner, f"GRANT ALL ON ALL TABLES IN SCHEMA otelq TO {app}, {guest}")
    await roles.run_as(
        guest,
        "CREATE SCHEMA guest",
        "CREATE FUNCTION guest.look() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE TRIGGER look BEFORE INSERT ON otelq.job FOR EACH ROW EXECUTE FUNCTION guest.look()",
    )
    async with otelq.connect(roles.url(app)):
        pass
    assert [record.getMessage() for record in caplog.records] == [
        f"a trigger of the otelq schema 'otelq' belongs to '{guest}', whose triggers run with the rights of '{app}'"
    ]


async def test_every_table_is_looked_at(empty_postgres_url: str, roles: Roles) -> None:
    await roles.connection.execute(dump())
    tables = await roles.connection.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'otelq'::regnamespace AND relkind IN ('r', 'v')"
    )
    assert sorted(name for (name,) in tables) == sorted(TABLES)
