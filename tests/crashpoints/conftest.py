"""The databases on which verbs are interrupted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otelq_verify import drivers
from otelq_verify.crashpoints import CrashStage
from otelq_verify.crashpoints.file_stage import FileStage
from otelq_verify.crashpoints.wire_stage import WireStage
from tests.conftest import POSTGRES, StartServer

SCHEMA = "otelq_crashpoints"

DRIVERS = {
    driver: "sqlite" if driver in drivers.SQLITE else "postgres18" for driver in (*drivers.POSTGRES, *drivers.SQLITE)
}
"""The database on which each driver is swept."""
OF_URLS = (drivers.SQLITE[0], drivers.POSTGRES[0])
OTHERS = tuple(driver for driver in DRIVERS if driver not in OF_URLS)


@pytest.fixture(scope="module", params=OF_URLS, ids=lambda driver: DRIVERS[driver])
def stage(
    request: pytest.FixtureRequest, postgres_server: StartServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CrashStage]:
    """A database that the tests of a module share, by its driver; every sweep leaves it empty."""
    driver = request.param
    if driver in drivers.SQLITE:
        path = tmp_path_factory.mktemp("crashpoints")
        with FileStage(f"sqlite:///{path}/otelq.db", schema=SCHEMA, driver=driver) as stage:
            yield stage
        return
    server = postgres_server(POSTGRES[DRIVERS[driver]])
    url = server.create_migrated_database()
    yield WireStage(url, schema=SCHEMA, driver=driver)
    server.drop_database(url)
