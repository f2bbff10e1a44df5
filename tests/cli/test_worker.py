import asyncio
import signal
from pathlib import Path

import pytest

import otelq

from ..unit.test_adapters import plant
from .shell import read_until, run, started

SHOP = '''
import asyncio
import otelq

jobs = otelq.Jobs()
more_jobs = otelq.Jobs()


@jobs.job("greet")
async def greet(attempt: otelq.Attempt[str]) -> str:
    print("greeted", flush=True)
    return f"Hello, {attempt.input}"


@more_jobs.job("linger")
async def linger(attempt: otelq.Attempt[float]) -> str:
    """Ends `input` seconds after the worker was told to stop."""
    print("lingering", flush=True)
    await attempt.stopping.wait()
    print("told to stop", flush=True)
    await asyncio.sleep(attempt.input)
    return "finished"
'''

greet = otelq.JobType("greet", input=str, output=str)
linger = otelq.JobType("linger", input=float, output=str)

WORKER = ("otelq", "worker", "shop:jobs", "shop:more_jobs")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with an application in it."""
    (tmp_path / "shop.py").write_text(SHOP)
    return tmp_path


@pytest.mark.parametrize("backend", ["sqlite", "postgres18"], indirect=True)
async def test_a_worker_runs_the_jobs_of_another_process(backend: str, shop: Path) -> None:
    async with otelq.connect(backend) as client:
        chain = await client.start(greet, "Ada")
        with started([*WORKER, "--url", backend, "--poll-interval", "0.05"], folder=shop):
            assert await client.result(chain, timeout=30) == "Hello, Ada"


@pytest.mark.parametrize("backend", ["sqlite", "postgres18"], indirect=True)
async def test_other_processes_list_a_worker_and_explain_jobs_by_what_it_serves(backend: str, shop: Path) -> None:
    async with otelq.connect(backend) as client:
        lonely = await client.start(otelq.JobType("renamed", input=str, output=str), "Ada")
        known = await client.start(greet, "Ada", delay=3600)
        with started([*WORKER, "--url", backend, "--name", "shop"], folder=shop) as process:
            read_until(process, "serves")
            while not (listed := await client.workers()):  # noqa: ASYNC110  # another process writes
                await asyncio.sleep(0.01)
            assert [(one.name, one.pid, sorted(one.types)) for one in listed] == [
                ("shop", process.pid, ["greet", "linger"])
            ]
            nobody = (await client.explain(lonely)).reasons[-1]
            assert nobody.text == "no live worker is known to serve 'renamed'; the 1 that are listed serve other types"
            assert [reason.code for reason in (await client.explain(known)).reasons] == [otelq.ReasonCode.DELAYED]
            process.terminate()
            assert process.wait() == 0
        assert await client.workers() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_a_worker_once_its_attempts_have_finished(
    number: signal.Signals, sqlite_url: str, shop: Path
) -> None:
    async with otelq.connect(sqlite_url) as client:
        chain = await client.start(linger, 0.1)
        with started(WORKER, folder=shop, OTELQ_URL=sqlite_url) as worker:
            read_until(worker, "lingering")
            worker.send_signal(number)
            assert "ERROR" not in read_until(worker, "has stopped; attempts")
            assert worker.wait() == 0
        assert await client.result(chain, timeout=10) == "finished"


async def test_a_second_signal_cancels_what_still_runs_and_gives_it_back(sqlite_url: str, shop: Path) -> None:
    async with otelq.connect(sqlite_url) as client:
        chain = await client.start(linger, 3600.0)
        with started(WORKER, folder=shop, OTELQ_URL=sqlite_url) as worker:
            read_until(worker, "lingering")
            worker.terminate()
            read_until(worker, "told to stop")
            worker.terminate()
            read_until(worker, "cancels its attempts, and gives back their jobs; 1 are running")
            read_until(worker, "has stopped; attempts: 1 released")
            assert worker.wait() == 0
        tail = (await client.chain(chain)).tail
        assert (tail.status, tail.attempt) == ("ready", 0)


def test_a_worker_says_what_it_serves_and_under_which_name(sqlite_url: str, shop: Path) -> None:
    with started([*WORKER, "--url", sqlite_url, "--name", "till 3"], folder=shop) as worker:
        assert "INFO    otelq.worker  worker till 3 serves greet, linger" in read_until(worker, "serves")


async def test_a_quiet_worker_says_nothing_while_all_is_well(sqlite_url: str, shop: Path) -> None:
    async with otelq.connect(sqlite_url) as client:
        await client.start(greet, "Ada")
        with started([*WORKER, "--url", sqlite_url, "--log-level", "warning"], folder=shop) as worker:
            assert read_until(worker, "greeted") == "greeted\n"


async def test_metadata_in_the_folder_of_the_application_do_not_replace_an_adapter(sqlite_url: str, shop: Path) -> None:
    plant(shop, name="otelq", scheme="sqlite", module="planted")
    async with otelq.connect(sqlite_url) as client:
        chain = await client.start(greet, "Ada")
        with started(WORKER, folder=shop, OTELQ_URL=sqlite_url):
            assert await client.result(chain, timeout=30) == "Hello, Ada"


def test_the_package_runs_as_a_module_too(tmp_path: Path) -> None:
    assert run("python", "-m", "otelq", "--version", folder=tmp_path).stdout.startswith("otelq ")
