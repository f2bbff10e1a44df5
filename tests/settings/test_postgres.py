"""Each setting of each driver of PostgreSQL, as ``postgres.txt`` lists them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..servers import PostgresServer
from .postgres import application
from .table import Line, tries
from .use import migrated, try_out

SCHEMA = "shared"


@pytest.fixture(scope="module")
def database(postgres18: PostgresServer) -> Iterator[str]:
    """A database with a table of the application's and a schema of otelq's, for all tests of the module."""
    url = postgres18.create_database()
    postgres18.execute("CREATE TABLE public.mine (number int)", database=url.rpartition("/")[2])
    migrated(url, schema=SCHEMA)
    yield url
    postgres18.drop_database(url)


@pytest.mark.parametrize("line", tries("postgres"))
async def test_a_setting_of_the_application_changes_nothing_and_stays(line: Line, database: str) -> None:
    async with application(line.driver, line.setting, database) as made:
        await try_out(line, made, url=database, schema=SCHEMA)
