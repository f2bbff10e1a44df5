"""Each example prints what its docstring says."""

import ast
import textwrap
from pathlib import Path

import pytest

from .shell import ROOT, run

EXAMPLES = {path.stem: path for path in (ROOT / "examples").glob("*.py")}
ON_POSTGRES = {"transactional_start"}
ON_A_FILE_OR_A_SERVER = {"pydantic_encrypted", "sqlalchemy_session"}


def promised(example: Path) -> str:
    """What the docstring says that the example prints."""
    docstring = ast.get_docstring(ast.parse(example.read_text())) or ""
    return textwrap.dedent(docstring.partition("Prints::\n\n")[2]) + "\n"


def printed(example: Path, url: str, folder: Path) -> str:
    """What the example prints on a database."""
    finished = run("python", "-W", "error", str(example), folder=folder, OTELQ_URL=url)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.mark.parametrize("backend", ["memory"], indirect=True)
@pytest.mark.parametrize("name", sorted(EXAMPLES.keys() - ON_POSTGRES - ON_A_FILE_OR_A_SERVER))
def test_an_example_prints_what_it_promises(name: str, backend: str, tmp_path: Path) -> None:
    assert printed(EXAMPLES[name], backend, tmp_path) == promised(EXAMPLES[name])


@pytest.mark.parametrize("backend", ["sqlite", "postgres18"], indirect=True)
@pytest.mark.parametrize("name", sorted(ON_A_FILE_OR_A_SERVER))
def test_an_example_prints_the_same_on_a_file_and_on_a_server(name: str, backend: str, tmp_path: Path) -> None:
    assert printed(EXAMPLES[name], backend, tmp_path) == promised(EXAMPLES[name])


@pytest.mark.parametrize("name", sorted(ON_POSTGRES))
def test_an_example_for_postgres_prints_what_it_promises(name: str, empty_postgres_url: str, tmp_path: Path) -> None:
    assert printed(EXAMPLES[name], empty_postgres_url, tmp_path) == promised(EXAMPLES[name])
