"""Pages of documentation: the programs that they hold, and the commands with what these print."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .shell import run

_POSTGRES = re.compile(r"OTELQ_URL=(postgresql(?:\+\w+)?)://\S+ ")


@dataclass(frozen=True)
class Page:
    """A page in Markdown. A program begins with its name in a comment; a command stands behind a dollar sign."""

    path: Path

    @property
    def text(self) -> str:
        return self.path.read_text()

    @property
    def blocks(self) -> list[tuple[str, str]]:
        """The blocks of code: their kinds and what is in them."""
        return re.findall(r"^```(\w+)\n(.*?)^```$", self.text, re.MULTILINE | re.DOTALL)

    @property
    def programs(self) -> dict[str, str]:
        """The programs by their names."""
        return {text.splitlines()[0].removeprefix("# "): text for kind, text in self.blocks if kind == "python"}

    @property
    def commands(self) -> dict[str, str]:
        """The commands, and what the page says that each prints."""
        return dict(shown for kind, text in self.blocks if kind == "console" for shown in shown_commands(text))

    @property
    def links(self) -> set[str]:
        """Where it leads to in the repository, without the anchors."""
        prose = re.sub(r"^```.*?^```$|`[^`\n]*`", "", self.text, flags=re.MULTILINE | re.DOTALL)
        targets: list[str] = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", prose)
        return {target for target in targets if "://" not in target}

    def write_programs(self, folder: Path) -> None:
        """Put its programs into a folder."""
        for name, text in self.programs.items():
            (folder / name).write_text(text)


def is_on_postgres(command: str) -> bool:
    """Whether a command names a PostgreSQL, in whose place a test puts its own."""
    return _POSTGRES.match(command) is not None


def printed(command: str, *, folder: Path, postgres_url: str = "") -> str:
    """What a command prints. It must succeed, and on the way to the end no warning may be heard."""
    environment = {"PYTHONWARNINGS": "error"} if "python" in command else {}
    if found := _POSTGRES.match(command):
        environment["OTELQ_URL"] = postgres_url.replace("postgresql", found[1], 1)
    finished = run(*command[found.end() if found else 0 :].split(), folder=folder, **environment)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def shown_commands(block: str) -> Iterator[tuple[str, str]]:
    """Yield the commands of a console block, each with what the page says that it prints."""
    for shown in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = shown.partition("\n")
        yield command, output
