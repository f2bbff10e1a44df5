"""Each setting of each driver of PostgreSQL, as ``postgres.txt`` lists them."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator

import pytest

import otelq
from otelq.errors import OtelqError

from ..servers import PostgresServer
from .postgres import application
from .table import Line, lines, refusal
from .use import Application, check_all, stays, write_all


@pytest.fixture(scope="module")
def database(postgres18: PostgresServer) -> Iterator[str]:
    """A database with a table of the application's, for all tests of the module; each has a schema of its own."""
    url = postgres18.create_database()
    postgres18.execute("CREATE TABLE public.mine (number int)", database=url.rpartition("/")[2])
    yield url
    postgres18.drop_database(url)


@pytest.mark.parametrize("line", lines("postgres"), ids=str)
async def test_a_setting_of_the_application_changes_nothing_and_stays(line: Line, database: str) -> None:
    schema = f"s{secrets.token_hex(4)}"
    async with otelq.connect(database, schema=schema), application(line.driver, line.setting, database) as made:
        before = await made.facts()
        if message := refusal(line.as_target):
            await refused_as_target(made, schema, message)
        is_target = line.as_target == "works"
        target, session = (made.target, made.session) if is_target else (database, None)
        async with otelq.connect(target, session=session, schema=schema) as client:
            written: list[list[otelq.Chain[int]]] = []
            if is_target:
                async with client.transaction() as tx:
                    written.append(await write_all(client, tx, key="own"))
            for number, begin in enumerate(made.handles):
                if message := refusal(line.as_tx):
                    with pytest.raises(OtelqError, match=re.escape(message)):
                        async with begin() as tx:
                            await client.start(otelq.JobType("double", input=int, output=int), 1, tx=tx)
                    continue
                async with begin() as tx:
                    written.append(await write_all(client, tx, key=str(number)))
            await check_all(client, written)
        await stays(made, before)


async def refused_as_target(made: Application, schema: str, message: str) -> None:
    """See that no client is connected, or that it can do nothing, with an error that says why."""
    with pytest.raises(OtelqError, match=re.escape(message)):
        async with otelq.connect(made.target, session=made.session, schema=schema) as client:
            await client.start(otelq.JobType("double", input=int, output=int), 1)
