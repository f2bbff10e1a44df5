"""What can go wrong at the shell is told in one line that names the cause and, where there is one, the way out."""

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from otelq.cli.main import run

from ..servers import PostgresServer

SHOP = """
import otelq

app = object()
jobs = otelq.Jobs()
full = otelq.Jobs()


@full.job("greet")
async def greet(attempt: otelq.Attempt[str]) -> str:
    return "hello"
"""
MODULES = {
    "cli_shop.py": SHOP,
    "cli_empty.py": "",
    "cli_lacking.py": "import cli_not_there\n",
    "cli_raising.py": "\n1 / 0\n",
    "cli_unreadable.py": "x = (\n",
}
USAGE = [
    ("worker", "Missing argument 'TARGET...'"),
    ("worker cli_shop:jobs", "a collection of jobs has no database; give --url, or set OTELQ_URL"),
    ("worker cli_shop --url {sqlite}", "'cli_shop' names no target; give module:attribute, such as shop.app:worker"),
    ("worker cli_nowhere:jobs --url {sqlite}", "there is no module 'cli_nowhere' in {folder}"),
    ("worker cli_nowhere.sub:jobs --url {sqlite}", "there is no module 'cli_nowhere' in {folder}"),
    ("worker cli_shop:jobz --url {sqlite}", "module 'cli_shop' has no 'jobz'; in the module there are full, jobs"),
    (
        "worker cli_empty:jobs --url {sqlite}",
        "module 'cli_empty' has no 'jobs'; there is no worker or collection in it",
    ),
    (
        "worker cli_shop:app --url {sqlite}",
        "'cli_shop:app' is of type object, not an otelq.Worker, a function or async",
    ),
    ("worker cli_lacking:jobs --url {sqlite}", "No module named 'cli_not_there' ({folder}/cli_lacking.py, line 1)"),
    ("worker cli_raising:jobs --url {sqlite}", "ZeroDivisionError: division by zero ({folder}/cli_raising.py, line 2)"),
    ("worker cli_unreadable:jobs --url {sqlite}", "SyntaxError: '(' was never closed"),
    ("worker cli_shop:jobs --url {sqlite}", "jobs: is empty; give collections with handlers"),
    ("worker cli_shop:full --url {sqlite} --concurrency 0", "--concurrency: is 0; give a whole number, 1 or more"),
    ("worker cli_shop:jobs --url {sqlite} --concurrency few", "'few' is not a valid integer"),
    ("worker cli_shop:full --url {sqlite} --poll-interval -1", "--poll-interval: is -1.0; give seconds from"),
    (
        "worker cli_shop:full --url {sqlite} --queues default,mail",
        "--queues: 'mail' has no job type; there are default",
    ),
    ("worker cli_shop:jobs --url {sqlite} --log-level loud", "'loud' is not one of 'debug', 'info'"),
    ("worker cli_shop:jobz --url {sqlite} --processes 2", "module 'cli_shop' has no 'jobz'; in the module there are"),
    ("worker cli_shop:full --url {sqlite} --processes 2 --concurrency 0", "--concurrency: is 0; give a whole number"),
    ("worker cli_shop:full --url {sqlite} --processes 0", "0 is not in the range x>=1"),
    ("worker cli_shop:full --url {sqlite} --max-memory 0", "0.0 is not in the range x>0"),
    ("worker cli_shop:jobs --url memory://", "memory:// is private to one process"),
    ("worker cli_shop:jobs --url sqlite://", "sqlite:// is private to one process"),
    ("worker cli_shop:jobs --url sqlite+aiosqlite://", "sqlite+aiosqlite:// is private to one process"),
    (
        "worker cli_shop:full --url postgresql+psycopg2://ada:s3cret@db/app",
        "--url: has the scheme postgresql+psycopg2;",
    ),
    ("worker cli_shop:full --url postgresql+asyncpg://ada:s3cret@db:port/app", "url: cannot be read as a URL of"),
    ("worker cli_shop:jobs --url mysql://ada:s3cret@db/app", "--url: no adapter for mysql: is installed"),
    ("worker cli_shop:full --url postgresql:/ada:s3cret@db/app", "url: has no two slashes after its scheme"),
    ("migrate --url postgresql://ada:1/s3cret@db/app", "url: has an @ where none can be; percent-encode"),
    ("migrate --url host=::1&password=s3cret", "--url: is no URL"),
    ("migrate", "Missing option '--url' (env var: 'OTELQ_URL')"),
    ("migrate --url {sqlite} --sql --check", "--sql and --check exclude each other; give one"),
    ("migrate --url {sqlite} --schema a;b", "--schema: is 'a;b'"),
    ("migrate --url {sqlite} --schema a;b --sql", "--schema: is 'a;b'"),
    ("migrate --url mysql://ada:s3cret@db/app --sql", "--url: no adapter for mysql: is installed"),
    ("migrate --url sqlite://ada:s3cret@db/app", "a SQLite file has three slashes"),
    ("demo --url nonsense", "--url: is no URL"),
    ("dance", "No such command 'dance'"),
]
FAILURES = [
    ("migrate --url {nowhere}", "127.0.0.1"),
    ("migrate --url {nowhere_by_sqlalchemy}", "127.0.0.1"),
    ("worker cli_shop:full --url {nowhere_by_sqlalchemy}", "127.0.0.1"),
    ("worker cli_shop:full --url {nowhere} --processes 2", "127.0.0.1"),
    ("migrate --url {nowhere} --check", "127.0.0.1"),
    ("demo --url {nowhere}", "127.0.0.1"),
    ("migrate --url sqlite:///no/such/folder/app.db", "the directory {folder}/no/such/folder does not exist"),
    ("migrate --url {sqlite} --check", "run `otelq migrate`"),
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with modules to load, which leaves no trace in this process's import path."""
    for name, text in MODULES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delenv("OTELQ_URL", raising=False)
    return tmp_path


def said(command: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The exit code of a command, and the one line that it wrote about its trouble."""
    places: dict[str, object] = {
        "folder": folder,
        "sqlite": "sqlite:///app.db",
        "nowhere": "postgresql://ada:s3cret@127.0.0.1:9/app",
    }
    places["nowhere_by_sqlalchemy"] = "postgresql+asyncpg://ada:s3cret@127.0.0.1:9/app"
    code = run([word.format(**places) for word in command.split()])
    (line,) = capsys.readouterr().err.splitlines()
    return code, line


@pytest.mark.parametrize("command, problem", USAGE)
def test_what_cannot_be_understood_is_refused_in_one_line_with_code_2(
    command: str, problem: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, line = said(command, folder, capsys)
    assert code == 2
    assert line.startswith("otelq: ")
    assert problem.format(folder=folder) in line
    assert "s3cret" not in line
    assert not list(folder.glob("app.db*"))


@pytest.mark.parametrize("command, problem", FAILURES)
def test_what_fails_is_told_in_one_line_with_code_1(
    command: str, problem: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, line = said(command, folder, capsys)
    assert code == 1
    assert line.startswith("otelq: ")
    assert problem.format(folder=folder) in line
    assert "s3cret" not in line


def test_no_command_at_all_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    assert "Commands:" in capsys.readouterr().out


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith(f"otelq 0.1.0{os.linesep}")


@pytest.mark.parametrize("command", ["worker cli_shop:full", "migrate", "migrate --check"])
@pytest.mark.parametrize(
    "change, problem",
    [
        ({"path": "/cli_nowhere"}, 'database "cli_nowhere" does not exist (SQLSTATE 3D000)'),
        ({"netloc": "cli_nobody:s3cret"}, 'role "cli_nobody" does not exist (SQLSTATE 28000)'),
    ],
    ids=["no such database", "no such role"],
)
def test_wrong_configuration_of_postgresql_is_told_in_one_line_with_code_1(
    command: str,
    change: dict[str, str],
    problem: str,
    folder: Path,
    postgres18: PostgresServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    address = urlsplit(postgres18.dsn())
    if user := change.get("netloc"):
        change = {"netloc": f"{user}@{address.netloc.rpartition('@')[2]}"}
    code, line = said(f"{command} --url {address._replace(**change).geturl()}", folder, capsys)
    assert code == 1
    assert line.startswith("otelq: cannot connect to PostgreSQL at 127.0.0.1:")
    assert line.endswith(problem)
    assert "s3cret" not in line


def test_a_role_that_may_not_make_the_schema_is_told_in_one_line_with_code_1(
    folder: Path, postgres18: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> None:
    url = postgres18.create_database()
    postgres18.execute("CREATE ROLE cli_lowly LOGIN")
    code, line = said(f"migrate --url {url.replace('postgres@', 'cli_lowly@')}", folder, capsys)
    assert code == 1
    assert "permission denied for database" in line
    postgres18.drop_database(url)
    postgres18.execute("DROP ROLE cli_lowly")
