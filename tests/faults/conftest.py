"""The backends, which several processes can share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import POSTGRES, StartServer

SHARED = ["sqlite", *POSTGRES]

FreshDatabase = Callable[[str, Path], str]


@pytest.fixture(scope="session")
def fresh_database(postgres_server: StartServer) -> FreshDatabase:
    """Make an empty database of a backend, for fixtures that live longer than a test."""

    def make(backend: str, folder: Path) -> str:
        if backend == "sqlite":
            return f"sqlite:///{folder}/otelq.db"
        return postgres_server(POSTGRES[backend]).create_database()

    return make
