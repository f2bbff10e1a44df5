"""Each fault of a torture run does what it says, and workers come through it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otelq.testing.torture.faults import FAULTS, Fault
from otelq.testing.torture.faults.serving import FailOver, FullDisk, Restart
from tests.conftest import StartServer

from .disks import can_mount
from .servers import tortured
from .stage import Stage, stage

OF_A_DISK = [fault for fault in FAULTS if isinstance(fault, FullDisk) and can_mount()]
OF_A_SERVER = [fault for fault in FAULTS if isinstance(fault, (Restart, FailOver))]
ON_SQLITE = [fault for fault in FAULTS if fault.name.startswith(("kill", "stop", "hints"))]
ON_POSTGRES = [fault for fault in FAULTS if not isinstance(fault, (Restart, FailOver, FullDisk))]


@pytest.fixture(scope="module")
def on_postgres(postgres_server: StartServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    server = postgres_server(18)
    url = server.create_database()
    with stage(url, tmp_path_factory.mktemp("postgres")) as scene:
        yield scene
    server.drop_database(url)


@pytest.fixture(scope="module")
def on_a_server_of_ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with tortured("postgres18") as server, stage(server.url, tmp_path_factory.mktemp("ours"), server=server) as scene:
        yield scene


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with tortured("sqlite") as server, stage(server.url, tmp_path_factory.mktemp("sqlite"), server=server) as scene:
        yield scene


def named(fault: Fault) -> str:
    return fault.name.replace(" ", "-")


@pytest.mark.parametrize("fault", ON_POSTGRES, ids=named)
async def test_workers_on_postgres_come_through(fault: Fault, on_postgres: Stage) -> None:
    print(await on_postgres.survive(fault))


@pytest.mark.parametrize("fault", [*OF_A_SERVER, *OF_A_DISK], ids=named)
async def test_workers_on_a_server_of_ours_come_through(fault: Fault, on_a_server_of_ours: Stage) -> None:
    print(await on_a_server_of_ours.survive(fault))


@pytest.mark.parametrize("fault", [*ON_SQLITE, *OF_A_DISK], ids=named)
async def test_workers_on_sqlite_come_through(fault: Fault, on_sqlite: Stage) -> None:
    print(await on_sqlite.survive(fault))
