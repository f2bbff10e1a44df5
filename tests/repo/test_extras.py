"""What is installed without an extra still works, and what needs one says which."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection

import pytest

PROOFS = ["anyio", "hypothesis"]
BLOCK = "import runpy, sys; sys.modules.update(dict.fromkeys(sys.argv.pop(1).split(',')));"


def python(program: str, *words: str, without: Collection[str]) -> subprocess.CompletedProcess[str]:
    """Run a program in which some packages cannot be imported."""
    command = [sys.executable, "-c", BLOCK + program, ",".join(without), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def proofs(*words: str, without: Collection[str] = PROOFS) -> subprocess.CompletedProcess[str]:
    return python("runpy.run_module('otelq_verify', run_name='__main__')", *words, without=without)


def test_an_application_is_tested_without_the_extra_of_the_proofs() -> None:
    done = python("import otelq.testing; otelq.testing.attempt(1)", without=[*PROOFS, "grpc", "opentelemetry.sdk"])

    assert done.returncode == 0, done.stderr


def test_the_receiver_needs_none_of_what_the_proofs_need() -> None:
    done = python("import otelq.testing.otlp", without=[*PROOFS, "opentelemetry.sdk", "opentelemetry.exporter"])

    assert done.returncode == 0, done.stderr


def test_the_kits_for_adapters_need_no_extra() -> None:
    program = (
        "import otelq_verify; assert otelq_verify.CASES and all(hasattr(otelq_verify, n) for n in otelq_verify.__all__)"
    )
    done = python(program, without=[*PROOFS, "asyncpg", "opentelemetry.sdk"])

    assert done.returncode == 0, done.stderr


def test_the_commands_are_listed_without_the_extra() -> None:
    done = proofs("--help")

    assert done.returncode == 0, done.stderr
    assert "conformance" in done.stdout


@pytest.mark.parametrize(
    "command, missing",
    [("machines", "hypothesis"), ("interleave", "hypothesis"), ("torture", "anyio"), ("crashpoints", "anyio")],
)
def test_a_command_that_needs_the_extra_names_it(command: str, missing: str) -> None:
    done = proofs(command, "sqlite:///nowhere.db", without=[missing])

    assert done.returncode == 1
    assert done.stderr == f"Error: {missing} is missing; install otelq's extra `verify`\n"


def test_a_driver_that_is_missing_names_its_extra() -> None:
    done = proofs("conformance", "postgresql://localhost/nowhere", without=["asyncpg"])

    assert done.returncode == 1
    assert done.stderr == "Error: asyncpg is missing; install otelq's extra `postgres`\n"


@pytest.mark.parametrize(
    "program, missing, extra",
    [
        ("otelq.connect('postgresql://h/d')", "asyncpg", "postgres"),
        ("otelq.Encryption({'1': bytes(16)})", "cryptography", "encryption"),
    ],
)
def test_an_application_that_needs_an_extra_is_referred_to_it(program: str, missing: str, extra: str) -> None:
    done = python(f"import otelq; {program}", without=[missing])

    assert f"needs {missing}; install otelq's extra `{extra}` (README, Install)" in done.stderr


def test_reloading_names_its_extra() -> None:
    program = "from otelq.cli.main import run; sys.exit(run(['worker', 'shop:jobs', '--reload']))"
    done = python(program, without=["watchfiles"])

    assert done.returncode == 2
    assert done.stderr == "otelq: --reload needs watchfiles; install otelq's extra `reload` (README, Install)\n"


def test_the_former_command_names_the_one_to_run() -> None:
    words = ["torture", "sqlite:///app.db", "--seconds", "5"]
    done = subprocess.run([sys.executable, "-m", "otelq.testing", *words], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "python -m otelq_verify torture sqlite:///app.db --seconds 5" in done.stderr
