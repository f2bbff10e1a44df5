import subprocess
from pathlib import Path

import pytest

from otelq import connect

from .shell import otelq, run


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the demo makes its folder."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def shown(temporary: Path) -> str:
    """What `otelq demo` prints."""
    demo = otelq("demo", folder=temporary, TMPDIR=str(temporary))
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert demo.stderr == ""
    return demo.stdout


@pytest.mark.parametrize(
    "line",
    [
        "A-1043: 4200 is over the limit of 500, so it is refused",
        "A-1042: the bank does not answer; again in 0.4 s",
        "A-1042: 64 paid, at attempt 2",
        "A-1042: paid and complete, so the parcel is sent",
        "s later, the customer is asked how it was",
    ],
)
def test_the_demo_reports_each_step_once(shown: str, line: str) -> None:
    assert shown.count(line) == 1


@pytest.mark.parametrize(
    "line",
    [
        "chain parcel.send",
        "├─ blockers",
        "order.charge     completed   attempt 1 failed (ConnectionError), attempt 2 completed",
        "└─ review.ask",
        "└─ order.refuse",
    ],
)
def test_the_demo_draws_the_chains_in_the_database(shown: str, line: str) -> None:
    assert line in shown


@pytest.mark.parametrize(
    "span", ["checkout A-1042", "├─ enqueue order.check", "process order.charge", "POST /charges", "└─ print label"]
)
def test_the_demo_draws_the_traces(shown: str, span: str) -> None:
    assert span.lstrip("└├─ ") in shown.partition("Traces of OpenTelemetry")[2]


def test_the_demo_shows_that_a_fan_in_begins_a_trace_that_links_back(shown: str) -> None:
    assert "↖ enqueue parcel.send (fan_in)" in shown


def test_the_demo_says_that_all_outcomes_are_as_expected(shown: str) -> None:
    assert "✓ all 7 outcomes are as expected" in shown


def test_the_demo_writes_no_colours_to_a_file(shown: str) -> None:
    assert "\x1b" not in shown


@pytest.mark.usefixtures("shown")
def test_the_demo_cleans_its_folder(temporary: Path) -> None:
    assert not list(temporary.iterdir())


def test_the_demo_keeps_its_folder_when_asked(tmp_path: Path) -> None:
    demo = otelq("demo", "--keep", folder=tmp_path, TMPDIR=str(tmp_path))
    (database,) = tmp_path.glob("otelq-demo-*/orders.db")
    assert f"not deleted: sqlite:///{database}, schema otelq_demo" in demo.stdout


async def test_the_demo_runs_on_postgres_and_removes_its_chains(empty_postgres_url: str, tmp_path: Path) -> None:
    demo = otelq("demo", "--url", empty_postgres_url, folder=tmp_path)
    assert demo.returncode == 0, demo.stdout + demo.stderr
    async with connect(empty_postgres_url, schema="otelq_demo", migrate=False) as client:
        assert (await client.chains()).items == []


def test_the_demo_fails_if_an_outcome_is_not_as_expected(tmp_path: Path) -> None:
    demo = run_spoilt("import otelq.cli.demo; otelq.cli.demo.ATTEMPTS = 11", folder=tmp_path)
    assert demo.returncode == 1
    assert "✗ every attempt has its span: expected 11, found 10" in demo.stdout
    assert "✓" not in demo.stdout


def test_without_an_sdk_the_demo_shows_the_chain_and_says_how_to_get_the_trace(tmp_path: Path) -> None:
    demo = run_spoilt("sys.modules['opentelemetry.sdk'] = None", folder=tmp_path)
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "chain parcel.send" in demo.stdout
    assert "Traces of OpenTelemetry" not in demo.stdout
    assert "install otelq's extra `otlp`" in demo.stdout


def run_spoilt(spoil: str, *, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the demo in a process in which something was changed before."""
    program = f"import sys; {spoil}; from otelq.cli.main import run; sys.exit(run(['demo']))"
    return run("python", "-c", program, folder=folder)
