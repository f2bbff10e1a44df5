import sqlite3
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from otelq.cli.main import run

Cli = Callable[..., tuple[int, str]]


@pytest.fixture
def migrate(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run `otelq migrate`: its exit code, and all that it wrote."""

    def call(*arguments: str) -> tuple[int, str]:
        code = run(["migrate", *arguments])
        written = capsys.readouterr()
        return code, written.out + written.err

    return call


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_sql_is_printed_without_connecting(kind: str, migrate: Cli, tmp_path: Path) -> None:
    nowhere = {"sqlite": f"sqlite:///{tmp_path}/app.db", "postgresql": "postgresql://ada:s3cret@127.0.0.1:9/app"}
    code, sql = migrate("--sql", "--url", nowhere[kind], "--schema", "jobs_of_mine")
    assert code == 0
    assert "CREATE TABLE" in sql
    assert "jobs_of_mine" in sql
    assert "s3cret" not in sql
    assert not list(tmp_path.iterdir())


def test_the_sql_makes_a_sqlite_file_that_passes_the_check(migrate: Cli, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/app.db"
    _, sql = migrate("--sql", "--url", url)
    sqlite3.connect(tmp_path / "app.db").executescript(sql).connection.close()
    assert migrate("--check", "--url", url)[0] == 0


def test_the_sql_makes_a_postgres_schema_that_passes_the_check(migrate: Cli, empty_postgres_url: str) -> None:
    _, sql = migrate("--sql", "--url", empty_postgres_url)
    with psycopg.connect(empty_postgres_url, autocommit=True) as connection:
        connection.execute(sql.encode())
    assert migrate("--check", "--url", empty_postgres_url)[0] == 0


@pytest.mark.parametrize("backend", ["sqlite", "postgres18"], indirect=True)
def test_the_check_fails_before_a_migration_and_passes_after_it(migrate: Cli, backend: str) -> None:
    url = ("--url", backend, "--schema", "fresh")
    codes = [migrate(*flags, *url)[0] for flags in (["--check"], [], ["--check"], [])]
    assert codes == [1, 0, 0, 0]


@pytest.mark.parametrize("backend", ["sqlite", "postgres18"], indirect=True)
def test_the_check_is_about_the_schema_that_is_named(migrate: Cli, backend: str) -> None:
    migrate("--url", backend, "--schema", "mine")
    assert migrate("--check", "--url", backend, "--schema", "mine")[0] == 0
    assert migrate("--check", "--url", backend, "--schema", "yours")[0] == 1


def test_the_url_comes_from_the_environment_where_it_is_not_given(
    migrate: Cli, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTELQ_URL", sqlite_url)
    assert migrate() == (0, f"{sqlite_url}: schema otelq is up to date\n")
