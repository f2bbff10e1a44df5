"""The words of the code: names of modules and classes, and the openings of docstrings."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from .tree import PACKAGES, ROOT

NO_GERUNDS = {
    "testing": "is the public name, as in the standard library's and NumPy's packages for tests",
    "tracing": "is what OpenTelemetry calls the matter: a tracing API",
    "pending": "is an adjective: transactions that have not begun",
}


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


NO_VERBS = _set(
    """
    a about above after again all also always among an and another any anybody anything as asked at attempt attempts
    available be because before behind below beneath beside between blocker blockers both but by callback certain
    chain chains column columns data done due each earlier early either else empty equal error every everybody
    everything everywhere few first for from gracefully has have he here how however if in inside int is it its job
    jobs key last lease leases less long many meta method methods microsecond microseconds more most name names
    nanosecond nanoseconds neither never new next no nobody none nor not nothing now number of often on once one
    only or other others our out outcome over own page pages part payload payloads perhaps pool row rows same
    scheduled second seconds several she short sigkill since so some somebody something sometimes somewhere span
    spans sqlite statement statements status stored such text that the their them then there they this those though
    through time times to token tokens too transaction transitions true two under unless until up value values verb
    verbs very we what when where whether which while who whoever whole whose why with within without you your
    """
)
"""First words of docstrings that say no action."""
VAGUE_VERBS = _set("hang hear tell")
"""Verbs for which the field has exact ones, such as report, follow and notify."""
VERBS_IN_S = _set(
    "access address bypass compress cross discard discuss dismiss express focus guess miss pass press process"
)
VERBS_IN_ED_OR_ING = _set("bring embed exceed feed need ping proceed seed shed speed string succeed")
QUESTIONS = _set("how that what when where whether who whose why")


Function = ast.FunctionDef | ast.AsyncFunctionDef
Documented = ast.Module | ast.ClassDef | Function


class Words(NamedTuple):
    """A docstring and its owner."""

    path: Path
    node: Documented
    text: str

    @property
    def first(self) -> str:
        """Return the first word in lower case; nothing where the text begins with a mark or a quoted name."""
        return re.split(r"[^a-z'-]", self.text.lower(), maxsplit=1)[0]

    def __str__(self) -> str:
        line = 1 if isinstance(self.node, ast.Module) else self.node.lineno
        return f"{self.path.relative_to(ROOT)}:{line}: {self.text.splitlines()[0]}"


def _modules() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def _docstrings(path: Path, source: str) -> Iterator[Words]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, Documented) and (text := ast.get_docstring(node)):
            yield Words(path, node, text)


def _is_wrong(words: Words) -> bool:
    if isinstance(words.node, ast.Module | ast.ClassDef):
        return words.first in QUESTIONS
    return not (_is_promise(words.node, words.text) or _is_verb(words.first))


def _is_promise(node: Function, text: str) -> bool:
    """
    Return whether a docstring is a rule that is checked, not a description of what the function does.

    Those of cases (``@claim.case``) are printed as they are, in reports and in `docs/internals/conformance.md`; those
    that begin with the number of an invariant (``I1: ...``) repeat it as `docs/DESIGN.md` numbers it.
    """
    decorators = [ast.unparse(decorator).partition("(")[0] for decorator in node.decorator_list]
    return any(name.endswith("case") for name in decorators) or re.match(r"I\d+\b", text) is not None


def _is_verb(word: str) -> bool:
    if not word or word in NO_VERBS or word in VAGUE_VERBS:
        return False
    if word.endswith("s"):
        return word in VERBS_IN_S
    return not word.endswith(("ed", "ing")) or word in VERBS_IN_ED_OR_ING


def _wrong(path: Path) -> list[str]:
    return [str(words) for words in _docstrings(path, path.read_text()) if _is_wrong(words)]


def _stem(name: str) -> str:
    return re.sub(r"(.)\1$", r"\1", re.sub(r"(ings?|ions?|ed|ers?|es|e|s)$", "", name))


def test_functions_say_what_they_do_and_classes_what_they_are() -> None:
    assert [found for path in _modules() for found in _wrong(path)] == []


@pytest.mark.parametrize(
    "source",
    [
        '"""What is here."""',
        'class A:\n    """How it goes."""',
        'def f():\n    """Whether it is so."""',
        'def f():\n    """Returns it."""',
        'async def f():\n    """Returning it."""',
        'class A:\n    @property\n    def f(self):\n        """The value."""',
        'def f():\n    """``x``, twice."""',
        'def f():\n    """Tell them."""',
    ],
)
def test_an_opening_that_says_no_action_is_found(source: str) -> None:
    assert any(_is_wrong(words) for words in _docstrings(ROOT / "planted.py", source))


@pytest.mark.parametrize(
    "source",
    [
        '"""The place."""',
        'def f():\n    """Return it, or raise."""',
        'def f():\n    """Pass it on."""',
        '@claim.case\ndef f():\n    """A job is claimed once."""',
        'def f():\n    """I1: one lease at a time."""',
    ],
)
def test_an_opening_that_says_an_action_or_a_promise_is_not(source: str) -> None:
    assert not any(_is_wrong(words) for words in _docstrings(ROOT / "planted.py", source))


def test_no_module_or_package_is_named_by_a_gerund() -> None:
    names = {part for path in _modules() for part in path.relative_to(ROOT).with_suffix("").parts}
    gerunds = {word for name in names for word in name.split("_") if word.endswith("ing")}
    assert gerunds == set(NO_GERUNDS)


def test_no_two_modules_of_a_package_differ_by_grammar_alone() -> None:
    alike: dict[tuple[Path, str], set[str]] = defaultdict(set)
    for path in _modules():
        module = path.parent if path.name == "__init__.py" else path
        alike[module.parent, _stem(module.stem)].add(module.stem)
    assert [names for names in alike.values() if len(names) > 1] == []


def test_a_class_name_stands_for_one_class() -> None:
    found: dict[str, list[str]] = defaultdict(list)
    for path in _modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert {name: places for name, places in found.items() if len(places) > 1} == {}
