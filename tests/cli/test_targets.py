"""The command runs workers, factories of workers and collections of jobs, alone and together, in one event loop."""

from __future__ import annotations

import asyncio
import inspect
import logging
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import click
import pytest

import otelq
from otelq.cli.options import WorkerOptions
from otelq.cli.runner import Runner
from otelq.cli.targets import load_targets

APP = """
import contextlib
import os
import otelq

log = []
jobs = otelq.Jobs()
client = otelq.connect(os.environ["CLI_URL"])


@jobs.job("greet")
async def greet(attempt: otelq.Attempt[str]) -> str:
    return f"{attempt.get(str)}, {attempt.input}"


worker = otelq.Worker(client, jobs, name="attribute", provide=["Hello"])


class Shop:
    worker = worker


def by_function():
    return otelq.Worker(client, jobs, name="function", provide=["Moin"])


async def by_coroutine():
    return otelq.Worker(client, jobs, name="coroutine", provide=["Moin"])


async def by_generator():
    async with otelq.connect(os.environ["CLI_URL"]) as opened:
        log.append("opened")
        yield otelq.Worker(opened, jobs, name="generator", provide=["Moin"])
        log.append(f"closed with the client {opened.is_open}")


@contextlib.asynccontextmanager
async def by_block():
    async for made in by_generator():
        yield made


async def with_nothing():
    if log is None:
        yield


async def with_text():
    yield "worker"


async def raising():
    return {}["DATABASE"]


async def late():
    yield worker
    raise KeyError("cache")


async def running():
    async with otelq.connect(os.environ["CLI_URL"]) as opened, otelq.Worker(opened, jobs) as started:
        yield started


def needing(settings, *, debug):
    return worker


async def away():
    async with otelq.connect("postgresql://ada:s3cret@127.0.0.1:9/app") as opened:
        yield otelq.Worker(opened, jobs)


class Application:
    def __call__(self, scope, receive, send): ...


application = Application()
"""
EVERY_KIND = ["worker", "Shop.worker", "by_function", "by_coroutine", "by_generator", "by_block"]

greet = otelq.JobType("greet", input=str, output=str)


@pytest.fixture
def app(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module with targets of every kind, which leaves no trace in this process."""
    name = "cli_targets"
    (tmp_path / f"{name}.py").write_text(dedent(APP))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("CLI_URL", sqlite_url)
    monkeypatch.delitem(sys.modules, name, raising=False)
    return name


@asynccontextmanager
async def running(*targets: str, **options: Any) -> AsyncGenerator[Runner]:
    """A run of these targets, from when all of its workers run; it must end without an error."""
    runner, started = _runner(*targets, **options), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        run = group.create_task(runner.run(on_start=started.set))
        await asyncio.wait([group.create_task(started.wait()), run], return_when=asyncio.FIRST_COMPLETED)
        yield runner
        runner.request_stop()
        started.set()


def _runner(*targets: str, **options: Any) -> Runner:
    return Runner(load_targets(targets), WorkerOptions(targets=targets, **options))


async def greeting(url: str) -> str:
    async with otelq.connect(url) as client:
        return await client.result(await client.start(greet, "Ada"), timeout=30)


@pytest.mark.parametrize("attribute", EVERY_KIND)
async def test_a_worker_and_every_kind_of_factory_run(attribute: str, app: str, sqlite_url: str) -> None:
    async with running(f"{app}:{attribute}"):
        assert (await greeting(sqlite_url)).endswith(", Ada")


async def test_a_factory_is_left_after_its_worker_has_stopped(app: str) -> None:
    async with running(f"{app}:by_generator"):
        assert sys.modules[app].log == ["opened"]
    assert sys.modules[app].log == ["opened", "closed with the client True"]


async def test_the_client_of_a_worker_is_opened_and_closed_with_it(app: str) -> None:
    async with running(f"{app}:worker"):
        assert sys.modules[app].client.is_open
    assert not sys.modules[app].client.is_open


async def test_a_client_that_is_open_stays_open(app: str) -> None:
    client: otelq.Client = load_targets([f"{app}:worker"])[0].value.client  # type: ignore[union-attr]  # a worker
    async with client:
        async with running(f"{app}:worker"):
            pass
        assert client.is_open


async def test_options_of_the_command_line_replace_those_of_a_worker(
    app: str, sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="otelq"):
        async with running(f"{app}:worker", name="till 3", concurrency=2, queues=("default",)):
            assert await greeting(sqlite_url) == "Hello, Ada"
    assert "worker till 3 serves greet of queue default" in caplog.text
    assert "worker till 3 has stopped; attempts: 1 completed" in caplog.text


async def test_an_override_keeps_every_other_option_of_a_worker(app: str) -> None:
    worker: otelq.Worker = load_targets([f"{app}:worker"])[0].value  # type: ignore[assignment]  # it is one
    options = inspect.signature(otelq.Worker).parameters.keys() - {"client", "jobs"}
    assert worker._options.keys() == options
    changed = worker.override(concurrency=3, name="till")
    assert changed._options == worker._options | {"concurrency": 3, "name": "till"}
    assert changed.client is worker.client


async def test_several_targets_run_and_stop_together(app: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="otelq"):
        async with running(f"{app}:worker", f"{app}:by_generator"):
            pass
    assert f"runs {app}:worker, {app}:by_generator" in caplog.text
    assert caplog.text.count("has stopped") == 2


async def test_the_others_stop_gracefully_if_a_worker_cannot_go_on(
    app: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[otelq.Worker] = []
    enter = otelq.Worker.__aenter__

    async def remembered(worker: otelq.Worker) -> otelq.Worker:
        made.append(worker)
        return await enter(worker)

    monkeypatch.setattr(otelq.Worker, "__aenter__", remembered)
    runner = _runner(f"{app}:by_function", f"{app}:by_generator")
    with (
        caplog.at_level(logging.INFO, logger="otelq"),
        pytest.raises(otelq.OtelqError, match="could not go on: broken"),
    ):
        await runner.run(on_start=lambda: made[0]._give_up(RuntimeError("broken")))
    assert caplog.text.count("has stopped") == 2


async def test_a_stop_while_a_factory_waits_ends_the_run(app: str) -> None:
    runner = _runner(f"{app}:away")
    run = asyncio.create_task(runner.run())
    asyncio.get_running_loop().call_soon(runner.request_stop)
    await run


@pytest.mark.parametrize(
    "attribute, problem",
    [
        ("with_nothing", "'cli_targets:with_nothing' yields nothing; yield the worker, once"),
        ("with_text", "'cli_targets:with_text' yields a value of type str; a factory gives an otelq.Worker"),
        ("raising", "'cli_targets:raising' raised KeyError: 'DATABASE' ({file}, line {line})"),
        ("running", "'cli_targets:running' yields a worker that is running; yield it without `async with` around it"),
    ],
)
async def test_a_factory_that_makes_no_worker_is_refused(
    attribute: str, problem: str, app: str, tmp_path: Path
) -> None:
    line = next(n for n, text in enumerate(dedent(APP).splitlines(), 1) if "DATABASE" in text)
    with pytest.raises(click.UsageError) as refused:
        await _runner(f"{app}:{attribute}").run()
    assert refused.value.message == problem.format(file=tmp_path / f"{app}.py", line=line)


async def test_a_database_that_a_factory_cannot_reach_is_no_usage_error(app: str) -> None:
    with pytest.raises(otelq.Unavailable, match=r"127\.0\.0\.1:9"):
        await _runner(f"{app}:away").run()


async def test_a_factory_that_raises_after_its_worker_is_reported(app: str) -> None:
    with pytest.raises(
        otelq.OtelqError, match=r"cli_targets:late raised when its worker had stopped: KeyError: 'cache'"
    ):
        async with _unchecked(f"{app}:late"):
            pass


@asynccontextmanager
async def _unchecked(target: str) -> AsyncGenerator[None]:
    runner = _runner(target)
    yield
    await runner.run(on_start=runner.request_stop)


@pytest.mark.parametrize(
    "attribute, problem",
    [
        ("needing", "'cli_targets:needing' needs arguments, (settings, *, debug); a factory takes none"),
        ("application", "'cli_targets:application' is of type Application, not an otelq.Worker, a function or async"),
        ("Shop", "'cli_targets:Shop' is the class Shop, not an otelq.Worker"),
        ("log", "'cli_targets:log' is of type list, not an otelq.Worker"),
        ("client", "'cli_targets:client' is an otelq.Client; give a worker of it, otelq.Worker(client, jobs)"),
        ("Shop.till", "type 'cli_targets.Shop' has no 'till'; in the module there are jobs, worker"),
        ("shop", "module 'cli_targets' has no 'shop'; in the module there are jobs, worker"),
    ],
)
def test_what_is_no_target_is_refused(attribute: str, problem: str, app: str) -> None:
    with pytest.raises(click.UsageError) as refused:
        load_targets([f"{app}:{attribute}"])
    assert refused.value.message.startswith(problem)


@pytest.mark.parametrize(
    "options, problem",
    [
        (
            {"url": "sqlite:///a.db", "is_url_given": True},
            "--url is for collections of jobs; {app}:worker has a client",
        ),
        ({"schema": "shop"}, "--schema is for collections of jobs; {app}:worker has a client of its own"),
    ],
)
def test_options_that_a_target_does_not_use_are_refused(options: dict[str, object], problem: str, app: str) -> None:
    with pytest.raises(click.UsageError) as refused:
        _runner(f"{app}:worker", **options)
    assert problem.format(app=app) in refused.value.message


def test_a_url_of_the_environment_may_be_meant_for_others(app: str) -> None:
    _ = _runner(f"{app}:worker", url="mysql://other")


async def test_one_name_is_for_one_worker(app: str) -> None:
    with pytest.raises(click.UsageError, match="--name names one worker, and there are 2"):
        await _runner(f"{app}:worker", f"{app}:by_function", name="till").run()
