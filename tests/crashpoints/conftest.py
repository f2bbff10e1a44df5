"""The databases on which verbs are interrupted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otelq.testing.crashpoints import Stage
from otelq.testing.crashpoints.onfile import FileStage
from otelq.testing.crashpoints.onwire import WireStage
from tests.conftest import POSTGRES, StartServer

SCHEMA = "otelq_crashpoints"


@pytest.fixture(scope="module", params=["sqlite", "postgres18"])
def stage(
    request: pytest.FixtureRequest, postgres_server: StartServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """A database that the tests of a module share; every sweep leaves it empty."""
    if request.param == "sqlite":
        with FileStage(f"sqlite:///{tmp_path_factory.mktemp('crashpoints')}/otelq.db", schema=SCHEMA) as stage:
            yield stage
        return
    server = postgres_server(POSTGRES[request.param])
    url = server.create_database()
    yield WireStage(url, schema=SCHEMA)
    server.drop_database(url)
