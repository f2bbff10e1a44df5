"""Each fault of a torture run does what it says, and workers come through it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otelq.testing.torture.faults import FAULTS, Fault
from otelq.testing.torture.faults.serving import FailOver, FullDisk, Restart
from tests.conftest import StartServer

from .stage import Stage, stage

ON_SQLITE = [fault for fault in FAULTS if fault.name.startswith(("kill", "stop", "hints"))]
OF_A_SERVER = [fault for fault in FAULTS if isinstance(fault, (Restart, FailOver, FullDisk))]
ON_POSTGRES = [fault for fault in FAULTS if fault not in OF_A_SERVER]


@pytest.fixture(scope="module")
def on_postgres(postgres_server: StartServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    server = postgres_server(18)
    url = server.create_database()
    with stage(url, tmp_path_factory.mktemp("postgres")) as scene:
        yield scene
    server.drop_database(url)


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("sqlite")
    with stage(f"sqlite:///{folder}/otelq.db", folder) as scene:
        yield scene


def named(fault: Fault) -> str:
    return fault.name.replace(" ", "-")


@pytest.mark.parametrize("fault", ON_POSTGRES, ids=named)
async def test_workers_on_postgres_come_through(fault: Fault, on_postgres: Stage) -> None:
    print(await on_postgres.survive(fault))


@pytest.mark.parametrize("fault", ON_SQLITE, ids=named)
async def test_workers_on_sqlite_come_through(fault: Fault, on_sqlite: Stage) -> None:
    print(await on_sqlite.survive(fault))
