"""Fixtures of earlier schemas: made once, then loaded by every run of the tests."""

from __future__ import annotations

import asyncio
import json
import lzma
import sqlite3
import subprocess
import tarfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg

import otelq

from .answers import answers
from .dumps import dump_postgres, dump_sqlite
from .history import live_through

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]


@dataclass(frozen=True, slots=True)
class Fixture:
    """The data and the code of one earlier schema."""

    folder: Path

    def load(self, url: str) -> None:
        """Fill an empty database."""
        text = self._file(url, "sql").read_text()
        if _is_sqlite(url):
            with closing(sqlite3.connect(_path(url))) as connection:
                connection.executescript(text)
        else:
            asyncio.run(_execute(url, text))

    def answers(self, url: str) -> Any:
        """Return the answers of the client of then."""
        return json.loads(self._file(url, "json").read_text())

    def unpack_code(self, target: Path) -> Path:
        """Write the package ``otelq`` of then into a folder, which it returns."""
        with tarfile.open(self.folder / "otelq.tar.xz") as archive:
            archive.extractall(target, filter="data")
        return target

    def make(self, url: str) -> None:
        """Write the data of this code, on a database that is empty."""
        asyncio.run(live_through(url))
        if _is_sqlite(url):
            with closing(sqlite3.connect(_path(url))) as connection:
                connection.executescript((HERE / "shape_sqlite.sql").read_text())
            text = dump_sqlite(_path(url))
        else:
            asyncio.run(_execute(url, (HERE / "shape_postgres.sql").read_text()))
            text = asyncio.run(dump_postgres(url))
        said = asyncio.run(_ask(url))
        self.folder.mkdir(exist_ok=True)
        self._file(url, "sql").write_text(text)
        self._file(url, "json").write_text(json.dumps(said, ensure_ascii=False, indent=1, sort_keys=True) + "\n")

    def pack_code(self) -> None:
        """Archive the package ``otelq`` of the last commit."""
        tar = subprocess.run(["git", "archive", "HEAD", "otelq"], cwd=ROOT, capture_output=True, check=True).stdout
        (self.folder / "otelq.tar.xz").write_bytes(lzma.compress(tar, preset=9 | lzma.PRESET_EXTREME))

    def _file(self, url: str, suffix: str) -> Path:
        return self.folder / f"{'sqlite' if _is_sqlite(url) else 'postgres'}.{suffix}"


def fixtures() -> list[Fixture]:
    """Return the fixtures beside this file."""
    return [Fixture(path.parent) for path in sorted(HERE.glob("*/otelq.tar.xz"))]


def _is_sqlite(url: str) -> bool:
    return url.startswith("sqlite:")


def _path(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


async def _execute(url: str, script: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(script)
    await connection.close()


async def _ask(url: str) -> dict[str, Any]:
    async with otelq.connect(url, migrate=False) as client:
        return await answers(client)
