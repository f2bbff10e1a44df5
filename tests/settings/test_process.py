"""Each setting of a process, with each store, as ``process.txt`` lists them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import pytest

import otelq
from otelq.errors import OtelqError

from ..servers import PostgresServer
from .process import CALLER, PROCESS, is_known
from .table import Line, refusal, tries
from .use import migrated

jobs = otelq.Jobs()
seen = list[str]()


@jobs.job("last")
def last(attempt: otelq.Attempt[int]) -> int:
    return attempt.input + 1


@jobs.job("first", retry=otelq.RetryPolicy(initial=0.01))
async def first(attempt: otelq.Attempt[int]) -> otelq.Continue[int]:
    seen.append(CALLER.get())
    await attempt.completion()
    if attempt.number == 1:
        raise ValueError("again")
    return attempt.continue_with(last, attempt.input)


@jobs.job("apart", executor="process")
def apart(attempt: otelq.Attempt[int]) -> int:
    return attempt.input + 2


@pytest.fixture(scope="module")
def urls(postgres18: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A database of each store, for all tests of the module."""
    file = tmp_path_factory.mktemp("process") / "otelq.db"
    urls = {"sqlite": f"sqlite:///{file}", "postgres18": postgres18.create_database()}
    for url in urls.values():
        migrated(url, schema="otelq")
    yield urls
    postgres18.drop_database(urls["postgres18"])


@pytest.mark.parametrize("line", tries("process", is_known=is_known))
async def test_a_setting_of_the_process_changes_nothing_and_stays(line: Line, urls: dict[str, str]) -> None:
    with PROCESS[line.setting]() as facts:
        before = facts()
        if message := refusal(line.as_target):
            with pytest.raises(OtelqError, match=re.escape(message)):
                await use(line, urls[line.driver])
        else:
            await use(line, urls[line.driver])
        after = facts()
    assert after == before


async def use(line: Line, url: str) -> None:
    """Do what most applications do."""
    seen.clear()
    async with otelq.connect(url) as client:
        worker = otelq.Worker(client, jobs, poll_interval=0.2)
        if line.setting.endswith("run()"):
            await run(worker, client)
        else:
            async with worker:
                await work(client, in_process=line.setting.endswith("processes"))
    assert seen == ["nobody's"] * 2


async def work(client: otelq.Client, *, in_process: bool) -> None:
    """Run a chain of two jobs, the first in two attempts, the second in a thread; and if asked, a job in a process."""
    async with client.transaction() as tx:
        chain = await client.start(first, 5, tx=tx)
    assert await client.result(chain, timeout=20) == 6
    if in_process:
        assert await client.result(await client.start(apart, 5), timeout=20) == 7


async def run(worker: otelq.Worker, client: otelq.Client) -> None:
    """As a program that does nothing else; it is cancelled, as there is nobody to send a signal."""
    running = asyncio.ensure_future(worker.run())
    await work(client, in_process=False)
    running.cancel()
    await asyncio.wait([running])
