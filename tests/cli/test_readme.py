"""The README's programs are run as it shows them, and print what it says."""

import re
from pathlib import Path

import pytest

import otelq
from otelq.testing.otlp import OtlpReceiver

from .pages import Page, is_on_postgres, printed
from .shell import ROOT, read_until, run, started

README = Page(ROOT / "README.md")
PROGRAMS = README.programs
INSTALLS = {"pip install './otelq[postgres]'", "make demo", "make test", "make check"}
"""Commands that are run by whoever runs these tests, or by `.ci/run`."""
SHOWN = {command: output for command, output in README.commands.items() if command not in INSTALLS}
WORKER = next(command for command in SHOWN if command.startswith("otelq worker"))
ON_POSTGRES = {command for command in SHOWN if is_on_postgres(command)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder, with the programs of the README."""
    README.write_programs(tmp_path)
    return tmp_path


def test_every_python_block_names_its_file() -> None:
    assert all(re.fullmatch(r"\w+\.py", name) for name in PROGRAMS)


def test_every_program_is_run_by_a_command_or_imported_by_a_test() -> None:
    run_by_name = {name for name in PROGRAMS if any(f"python {name}" in command for command in SHOWN)}
    assert PROGRAMS.keys() - run_by_name == {"tracing.py"}


@pytest.mark.parametrize("command", [command for command in SHOWN if command not in {WORKER, *ON_POSTGRES}])
def test_a_command_prints_what_the_readme_says(command: str, folder: Path) -> None:
    assert printed(command, folder=folder) == SHOWN[command]


@pytest.mark.parametrize("command", ON_POSTGRES)
def test_a_command_prints_what_the_readme_says_on_postgres(command: str, empty_postgres_url: str, folder: Path) -> None:
    assert printed(command, folder=folder, postgres_url=empty_postgres_url) == SHOWN[command]


async def test_the_worker_command_serves_the_jobs_of_the_quickstart(folder: Path) -> None:
    create_profile = otelq.JobType("signup.create-profile", input=dict, output=str)
    async with otelq.connect(f"sqlite:///{folder}/app.db") as client:
        chain = await client.start(create_profile, {"email": "eve@example.com"})
        with started(WORKER.split(), folder=folder) as worker:
            assert await client.result(chain, timeout=30) == "welcome, eve@example.com"
            worker.terminate()
            read_until(worker, "has stopped; attempts")
            assert worker.wait() == 0


async def test_the_worker_command_serves_jobs_that_write_by_sqlalchemy(postgres_url: str, folder: Path) -> None:
    """The handler of ``orders.py`` asks for an ``AsyncConnection``."""
    url = postgres_url.replace("postgresql", "postgresql+asyncpg", 1)
    send_receipt = otelq.JobType("receipt.send", input=int, output=str)
    assert run("python", "orders.py", folder=folder, OTELQ_URL=url).returncode == 0
    async with otelq.connect(postgres_url) as client:
        with started(["otelq", "worker", "orders:jobs"], folder=folder, OTELQ_URL=url):
            chain = await client.start(send_receipt, 1)
            assert await client.result(chain, timeout=30) == "receipt for order 1 sent"
        assert (await client.chain(chain)).tail.attempt == 1


def test_the_tracing_module_sends_the_spans_of_the_quickstart(folder: Path) -> None:
    traced = "import asyncio, tracing, signup; asyncio.run(signup.main())"
    with OtlpReceiver() as receiver:
        finished = run("python", "-c", traced, folder=folder, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.http_endpoint)
        names = [span.name for span in receiver.spans()]
    assert finished.returncode == 0, finished.stderr
    assert {"enqueue signup.create-profile", "process signup.create-profile", "process signup.send-welcome"} <= {*names}


def test_the_trace_in_the_readme_is_one_that_the_demo_draws(folder: Path) -> None:
    (drawing,) = [text for kind, text in README.blocks if kind == "text"]
    demo = run("otelq", "demo", folder=folder)
    shown = [re.split(r" {2,}", line.strip())[0] for line in drawing.splitlines()]
    drawn = [re.split(r" {2,}", line.strip())[0] for line in demo.stdout.splitlines()]
    assert set(shown[1:]) <= set(drawn)
