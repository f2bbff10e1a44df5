"""
The reference of the public API, `docs/reference/api.md` and the pages in `docs/reference/api/`, and of the commands.

    python -m tests.repo.reference

draws them anew from signatures, docstrings and help texts.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from .api import Entry, Row, entry, module_text
from .commands import commands_page
from .tree import ROOT

FOLDER = ROOT / "docs/reference"
LONGEST_LINE = 88
MANY = 5
"""Classes with more methods than this begin with a list of them."""
INSTANCES = {"attempt": "Attempt", "client": "Client", "worker": "Worker"}
"""Classes by the names that docstrings give to an instance."""


INDEX = """\
# API reference

Every public name, by what it is for. Drawn from the docstrings by `python -m tests.repo.reference`; a test fails when
these pages differ from the code. Times are seconds as `float`, or `datetime` values with a zone. All calls that wait
are coroutines, and belong to the event loop that opened the client.
"""

TYPES = """\
## Types in signatures

These names are in signatures only; write the types that they are short for.

| name | type | |
|---|---|---|"""
ALIASES = (
    "otelq.client.filters.AnyChain",
    "otelq.definitions.types.AnyHandler",
    "otelq.testing.attempts.Blocker",
    "otelq.definitions.blockers.Blockers",
    "otelq.effects.scopes.Callback",
    "otelq.definitions.blockers.Chains",
    "otelq.definitions.attempt.Handler",
    "otelq.definitions.blockers.IfFailed",
    "otelq.client.filters.Path",
    "otelq.client.filters.QueueFilter",
    "otelq.client.filters.StatusFilter",
    "otelq.definitions.types.TraceMode",
    "otelq.client.filters.TypeFilter",
)


class Page(NamedTuple):
    """A page of the reference: its title, what a reader finds there, and its names in order."""

    title: str
    about: str
    names: Sequence[str]
    modules: Sequence[str] = ()
    """Modules whose docstrings belong to the page."""


@cache
def outline() -> Mapping[str, Page]:
    """Return the pages by the names of their files."""
    told = tomllib.loads(Path(__file__).with_name("reference.toml").read_text())
    return {name: Page(**page) for name, page in told.items()}


def pages() -> dict[Path, str]:
    """Return the text of every page of the reference by its path."""
    drawn = {FOLDER / "api" / f"{name}.md": _page(name) for name in outline()}
    return {FOLDER / "api.md": _index(), FOLDER / "commands.md": commands_page(), **drawn}


def _index() -> str:
    listings = (part for name, page in outline().items() for part in _listing(name, page))
    return "\n".join([INDEX, *listings, TYPES, *map(_alias, ALIASES), ""])


def _alias(name: str) -> str:
    found = entry(name)
    return (
        f"| `{name.rpartition('.')[2]}` | {_type(found.signatures[0])} | {_prose(_joined(found.text), Place('api/'))} |"
    )


def _listing(file: str, page: Page) -> Iterator[str]:
    yield f"## [{page.title}](api/{file}.md)\n\n{page.about}\n\n| name | |\n|---|---|"
    for name in page.names:
        found = entry(name)
        yield f"| {Place('api/').link(found.name)} | {_sentence(found, 'api/')} |"
    yield ""


def _sentence(found: Entry, folder: str = "") -> str:
    """Return the first paragraph about an entry."""
    return _prose(_joined(found.text.partition("\n\n")[0]), Place(folder, found.name))


class Place(NamedTuple):
    """From where links lead to entries: the folder of the pages, and the entry that is being drawn."""

    folder: str = ""
    name: str = ""

    def link(self, name: str, shown: str | None = None) -> str:
        """Return a link to the entry of a name, or the name alone where there is none or it is drawn just now."""
        code = f"`{shown or name}`"
        target = _targets().get(name)
        return code if target is None or target == _targets().get(self.name) else f"[{code}]({self.folder}{target})"


@cache
def _targets() -> Mapping[str, str]:
    """Return the link to every entry, by its whole name and by the last part of it; to those of methods too."""
    outer = [(file, entry(name)) for file, page in outline().items() for name in page.names]
    entries = [(file, each) for file, found in outer for each in (found, *found.members)]
    links = {found.name: f"{file}.md#{_anchor(found.name)}" for file, found in entries}
    return {name.rpartition(".")[2]: link for name, link in links.items() if name.startswith("otelq.")} | links


def _anchor(name: str) -> str:
    return name.lower().replace(".", "")


def _page(file: str) -> str:
    page = outline()[file]
    texts = (re.sub(r"^::\n\n", "", module_text(module)) for module in page.modules)  # before a block of code
    parts = (part for name in page.names for part in _entry(entry(name), "##"))
    head = f"# {page.title}\n\n{page.about}\nAll names are on [the index](../api.md).\n"
    return "\n".join([head, *(f"{_prose(text, Place())}\n" for text in texts), *parts])


def _entry(found: Entry, level: str) -> Iterator[str]:
    place = Place(name=found.name)
    yield f"{level} {found.name}\n"
    if found.signatures:
        yield "\n".join(["```python", *map(_folded, found.signatures), "```\n"])
    yield f"{_prose(found.text, place)}\n"
    yield from _table(("parameter", "type", "default"), found.parameters, place)
    enumerated = any(field.name.isupper() for field in found.fields)
    head = ("member", "", "value") if enumerated else ("field", "type", "default")
    yield from _table(head, found.fields, place)
    if found.raises:
        yield "Raises:\n"
        yield "".join(f"- {_types(row.name, place)}: {_prose(_joined(row.text), place)}\n" for row in found.raises)
    if len(found.members) > MANY:
        rows = (f"| {place.link(member.name)} | {_sentence(member)} |" for member in found.members)
        yield "\n".join(["| method | |", "|---|---|", *rows, ""])
    for member in found.members:
        yield from _entry(member, f"{level}#")


def _table(head: tuple[str, ...], rows: Sequence[Row], place: Place) -> Iterator[str]:
    """Yield a table without the columns that no row fills."""
    if not rows:
        return
    filled = [any(cells) for cells in zip(*(row[: len(head)] for row in rows), strict=True)]
    names = [name for name, is_filled in zip(head, filled, strict=True) if is_filled]
    yield f"| {' | '.join(names)} | |\n|{'---|' * len(names)}---|"
    for row in rows:
        cells = (f"`{row.name}`", _type(row.type), "required" if row.default == "required" else _code(row.default))
        shown = [cell for cell, is_filled in zip(cells, filled, strict=True) if is_filled]
        text = re.sub(r"^Return (.)", lambda found: found[1].upper(), row.text)  # of a property
        yield f"| {' | '.join([*shown, _prose(_joined(text), place)])} |"
    yield ""


def _code(text: str) -> str:
    return f"`{text}`".replace("'", '"') if text else ""


def _type(text: str) -> str:
    """Return a type without bars, which would end the cell of a table."""
    alternatives = re.split(r" \| (?![^\[]*\])", text)
    return " or ".join(_code(one.replace(" | ", " or ")) for one in alternatives)


def _types(names: str, place: Place) -> str:
    return ", ".join(place.link(name) for name in names.split(", "))


def _folded(signature: str) -> str:
    """Return a signature with a line for each parameter where it is long."""
    signature = signature.replace("'", '"')
    if len(signature) <= LONGEST_LINE:
        return signature
    head, inside, tail = _parts(signature)
    return "\n".join([head, *(f"    {parameter}," for parameter in inside), tail])


def _parts(signature: str) -> tuple[str, list[str], str]:
    """Return a signature up to its first parameter, its parameters, and the rest."""
    depth, start, inside = 0, signature.index("(") + 1, list[str]()
    begin = start
    for place, character in enumerate(signature):
        depth += (character in "([{") - (character in ")]}")
        if (character == "," and depth == 1) or (character == ")" and depth == 0):
            inside.append(signature[begin:place].strip())
            begin = place + 1
        if character == ")" and depth == 0:
            return signature[:start], inside, signature[place:]
    raise ValueError(f"{signature!r} has no end")


def _joined(text: str) -> str:
    return " ".join(text.split())


def _prose(text: str, place: Place) -> str:
    """Return the text of a docstring as Markdown, its names as links."""
    code = re.compile(r"`([\w.]+)((?:\([^`]*\))?)`")
    return code.sub(lambda found: _linked(found[1], found[2], place), text.replace("``", "`"))


def _linked(name: str, call: str, place: Place) -> str:
    if name.islower() and "." not in name:  # as likely a parameter as a function
        return f"`{name}{call}`"
    owner, dot, rest = name.removeprefix("otelq.").partition(".")
    target = name if name in _targets() else f"{INSTANCES.get(owner, owner)}{dot}{rest}"
    return place.link(target, name + call)


if __name__ == "__main__":
    for path, text in pages().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
