"""Every named schedule on every store that it can be played on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from otelq_verify.interleave import ANYWHERE, BY_STATEMENT, Schedule, Stage, run_schedule

from ..conftest import POSTGRES, StartServer
from .factories import factory

Play = Callable[[Schedule], None]


@pytest.fixture(scope="module", params=["sqlite", *POSTGRES])
def anywhere(
    request: pytest.FixtureRequest, postgres_server: StartServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Play]:
    """Plays a case on a stage that all cases share, as each begins by emptying it."""
    with _url(request.param, postgres_server, tmp_path_factory) as url, ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner())
        stage = Stage(factory(url))
        stack.callback(lambda: runner.run(stage.close()))
        runner.run(stage.open())
        yield lambda case: runner.run(run_schedule(stage, case))


@contextmanager
def _url(name: str, server: StartServer, folders: pytest.TempPathFactory) -> Generator[str]:
    if name not in POSTGRES:
        yield f"{name}:///{folders.mktemp(name)}/jobs.db"
        return
    found = server(POSTGRES[name])
    url = found.create_database()
    yield url
    found.drop_database(url)


def _named(case: Schedule) -> str:
    return case.name


@pytest.mark.parametrize("case", ANYWHERE, ids=_named)
def test_a_schedule_of_verbs_and_commits(anywhere: Play, case: Schedule) -> None:
    anywhere(case)


@pytest.mark.parametrize("case", BY_STATEMENT, ids=_named)
@pytest.mark.parametrize("anywhere", POSTGRES, indirect=True)
def test_a_schedule_of_statements(anywhere: Play, case: Schedule) -> None:
    anywhere(case)
