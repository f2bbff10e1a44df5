"""Every promise of the state port, kept by every adapter."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from otelq.ports.state import StateAdapter
from otelq_verify.conformance.cases import Case, Factory, run_case
from otelq_verify.conformance.kit import Kit
from otelq_verify.conformance.state_cases import CASES, THEMES

from ..conftest import POSTGRES, StartServer


@pytest.fixture(scope="module", params=["sqlite", *POSTGRES])
def factory(
    request: pytest.FixtureRequest, postgres_server: StartServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Factory]:
    """Makes adapters for one database, which the kit empties before every case."""
    name: str = request.param
    if name not in POSTGRES:
        yield _factory("otelq.sqlite", f"sqlite:///{tmp_path_factory.mktemp('conformance')}/otelq.db")
        return
    server = postgres_server(POSTGRES[name])
    url = server.create_migrated_database()
    yield _factory("otelq.postgres", url)
    server.drop_database(url)


def _factory(package: str, url: str) -> Factory:
    make = import_module(package).adapter

    def factory() -> StateAdapter:
        adapter: StateAdapter = make(url)
        return adapter

    return factory


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
async def test_the_adapter_keeps_its_promise(case: Case[Kit], factory: Factory) -> None:
    result = await run_case(factory, case)

    if result.error is not None:
        pytest.fail(f"{case.promise}\n{result.message}", pytrace=False)


def test_every_case_has_a_name_of_its_own_and_a_promise() -> None:
    names = [case.name for case in CASES]

    assert len(set(names)) == len(names)
    assert all(case.promise.endswith(".") and "\n" not in case.promise for case in CASES)


def test_every_theme_is_listed() -> None:
    folder = Path(import_module("otelq_verify.conformance.state_cases").__file__ or "").parent

    assert {theme.name for theme in THEMES} == {file.stem for file in folder.glob("[a-z]*.py")}
