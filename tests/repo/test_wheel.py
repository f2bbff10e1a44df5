import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from .tree import PACKAGES, ROOT

OTHERS = ["pytest", "psycopg", "sqlalchemy", "pydantic", "cryptography", "redis", "nats", "grpc"]
LOAD_THE_PROOFS = """
import pkgutil, sys
sys.modules.update(dict.fromkeys(sys.argv[1:]))  # none of these can be imported
import otelq.postgres.drivers.asyncpg, otelq.sqlite, otelq.testing, otelq_verify
for module in pkgutil.walk_packages(otelq_verify.__path__, "otelq_verify."):
    if module.name != "otelq_verify.audit.telemetry":  # it reads what exporters send
        __import__(module.name)
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """A freshly built wheel."""
    target = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (built_wheel,) = target.iterdir()
    return zipfile.ZipFile(built_wheel)


@pytest.fixture(scope="module")
def wheel(archive: zipfile.ZipFile) -> set[str]:
    """The names of the files in it."""
    return set(archive.namelist())


def sources(pattern: str) -> set[str]:
    return {path.relative_to(ROOT).as_posix() for package in PACKAGES for path in Path(ROOT, package).rglob(pattern)}


@pytest.mark.parametrize("pattern", ["*.py", "*.sql", "py.typed"])
def test_the_wheel_holds_every_source_file(wheel: set[str], pattern: str) -> None:
    expected = sources(pattern)
    assert expected
    assert expected <= wheel


def test_the_wheel_holds_the_four_packages_and_nothing_else(wheel: set[str]) -> None:
    assert {name.split("/")[0] for name in wheel} == {*PACKAGES, "otelq-0.1.0.dist-info"}


def test_the_readme_of_the_wheel_names_files_instead_of_linking_to_them(archive: zipfile.ZipFile) -> None:
    metadata = archive.read("otelq-0.1.0.dist-info/METADATA").decode()

    assert "# otelq" in metadata
    assert "`docs/reference/glossary.md`" in metadata
    assert re.findall(r"\]\((?!https?:)", metadata) == []


def test_the_proofs_need_no_test_framework_and_nothing_of_other_extras() -> None:
    command = [sys.executable, "-c", LOAD_THE_PROOFS, *OTHERS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
