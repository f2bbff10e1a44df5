"""
Changes of the code by the names of its symbols, so that a mutant outlives moves, renamed files and reformatting.

Python is compared as syntax and SQL as words: neither layout nor comments matter. In a piece of Python that is looked
for, ``...`` stands for any expression, for any arguments of a call, and for any block of statements.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from textwrap import dedent
from typing import TypeAlias

Syntax: TypeAlias = ast.expr | list[ast.stmt]

BLOCKS = ("body", "orelse", "finalbody")
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Stale(Exception):
    """A mutant does not fit the code; the message says what is missing, or found more than once."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """
    A piece of the code and what takes its place.

    Looked for in ``symbol``, a qualified name such as ``Completer.flush``, or in the statement ``sql``, by the name of
    its file. Where several of that name hold what is to be replaced, ``under`` names the folder of one. ``replace``
    must be there once, unless ``nth`` says which is meant, or ``everywhere`` that all are.
    """

    replace: str
    by: str
    symbol: str = ""
    sql: str = ""
    under: str = ""
    nth: int = 0
    everywhere: bool = False

    def apply(self, package: Path) -> tuple[Path, str]:
        """
        Return the file of the package that changes, and its new text.

        Raises:
            Stale: the symbol, the file, or what is to be replaced is missing or ambiguous.
        """
        tried = {file: self._changed(file) for file in self._files(package)}
        places = {file: found for file, (found, _) in tried.items() if found}
        self._check(places)
        [file] = places
        return file, tried[file][1]

    def __str__(self) -> str:
        what = f"symbol {self.symbol}" if self.symbol else f"file {self.sql}.sql"
        return f"{what} under {self.under}" if self.under else what

    def _files(self, package: Path) -> Sequence[Path]:
        found = symbols(package).get(self.symbol, ()) if self.symbol else package.rglob(f"{self.sql}.sql")
        files = [file for file in found if not self.under or f"/{self.under}/" in f"/{file.relative_to(package)}"]
        if not files:
            raise Stale(f"there is no {self}")
        return files

    def _check(self, places: Mapping[Path, int]) -> None:
        """Refuse what is not there, or in more than one place without a word on which is meant."""
        found = sum(places.values())
        if found < max(1, self.nth):
            raise Stale(f"{self} has {found or 'no'} place with {self.replace!r}")
        if len(places) > 1:
            raise Stale(f"there is more than one {self}: {', '.join(map(str, sorted(places)))}; say which by `under`")
        if found > 1 and not (self.nth or self.everywhere):
            raise Stale(f"{self} has {found} places with {self.replace!r}; say which by `nth`, or `everywhere`")

    def _changed(self, file: Path) -> tuple[int, str]:
        """Return how many places there are, and the file's text with those that are meant replaced."""
        return self._changed_python(file.read_text()) if self.symbol else self._changed_sql(file.read_text())

    def _changed_python(self, text: str) -> tuple[int, str]:
        tree = ast.parse(text)
        replacing = Replacing(*self._syntax(), nth=self.nth)
        for scope in [node for name, node in named(tree) if name == self.symbol]:
            replacing.visit(scope)
        return replacing.found, ast.unparse(ast.fix_missing_locations(tree))

    def _changed_sql(self, text: str) -> tuple[int, str]:
        words = re.compile(r"\s+".join(map(re.escape, self.replace.split())))
        numbers = count(1)
        changed = words.sub(lambda match: self.by if self.nth in (0, next(numbers)) else match[0], text)
        return len(words.findall(text)), changed

    def _syntax(self) -> tuple[Syntax, Syntax]:
        """Return both sides as expressions if both are; else as statements."""
        old, new = ast.parse(dedent(self.replace)).body, ast.parse(dedent(self.by)).body
        match old, new:
            case [ast.Expr(was)], [ast.Expr(becomes)]:
                return was, becomes
            case _:
                return old, new


@cache
def symbols(package: Path) -> Mapping[str, Sequence[Path]]:
    """Return the files that define each qualified name."""
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for file in sorted(package.rglob("*.py")):
        for name in {name for name, _ in named(ast.parse(file.read_text()))}:
            found[name].append(file)
    return found


def named(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Yield functions and classes at any depth, and what modules and classes assign, with their qualified names."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, SCOPES):
            yield prefix + child.name, child
            yield from named(child, f"{prefix}{child.name}.")
        else:
            if isinstance(node, ast.Module | ast.ClassDef):
                yield from ((prefix + name, child) for name in _assigned(child))
            yield from named(child, prefix)


def _assigned(node: ast.AST) -> list[str]:
    match node:
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case _:
            return []


class Replacing(ast.NodeTransformer):
    """Puts one piece of syntax in the place of another, and counts the places."""

    def __init__(self, old: Syntax, new: Syntax, *, nth: int) -> None:
        self.found = 0
        self._old = old
        self._new = new
        self._nth = nth

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(self._old, ast.expr) and isinstance(node, ast.expr) and alike(self._old, node):
            return self._put(node)
        self.generic_visit(node)  # first, so that what is put here is not looked into
        if isinstance(self._old, list):
            for block in BLOCKS:
                if isinstance(statements := getattr(node, block, None), list):
                    setattr(node, block, self._replaced(self._old, statements))
        return node

    def _put(self, node: ast.expr) -> ast.AST:
        assert isinstance(self._new, ast.expr)
        return deepcopy(self._new) if self._is_meant() else node

    def _replaced(self, old: list[ast.stmt], statements: list[ast.stmt]) -> list[ast.stmt]:
        assert isinstance(self._new, list)
        kept: list[ast.stmt] = []
        while statements:
            if _all_alike(old, statements[: len(old)]) and self._is_meant():
                kept += deepcopy(self._new) or [ast.Pass()]
                statements = statements[len(old) :]
            else:
                kept.append(statements.pop(0))
        return kept

    def _is_meant(self) -> bool:
        self.found += 1
        return self._nth in (0, self.found)


def alike(sought: object, found: object) -> bool:
    """Return whether two pieces of syntax are the same, where ``...`` stands for anything."""
    if _is_anything(sought):
        return isinstance(found, ast.expr | ast.stmt)
    if isinstance(sought, ast.Call) and isinstance(found, ast.Call) and _are_any(sought.args):
        return alike(sought.func, found.func)
    if isinstance(sought, list) and isinstance(found, list):
        return _are_any(sought) or _all_alike(sought, found)
    if isinstance(sought, ast.AST):
        return type(sought) is type(found) and all(
            alike(getattr(sought, name, None), getattr(found, name, None)) for name in sought._fields
        )
    return type(sought) is type(found) and sought == found


def _all_alike(sought: Sequence[object], found: Sequence[object]) -> bool:
    return len(sought) == len(found) and all(map(alike, sought, found))


def _is_anything(sought: object) -> bool:
    if isinstance(sought, ast.Expr):
        sought = sought.value
    return isinstance(sought, ast.Constant) and sought.value is ...


def _are_any(sought: Sequence[object]) -> bool:
    return len(sought) == 1 and _is_anything(sought[0])
