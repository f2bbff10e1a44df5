"""The page `docs/internals/conformance.md`, drawn from kits and faults. `python -m tests.conformance` writes it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from otelq_verify.conformance import notify_cases, state_cases
from otelq_verify.conformance.cases import Theme

PAGE = Path(__file__).parents[2] / "docs/internals/conformance.md"

_INTRODUCTION = """\
# Conformance

What a state adapter and a notify adapter promise, case by case, as `otelq_verify` checks it. Run the cases on your own
database, or on your own notifier, with

    python -m otelq_verify conformance URL

The scheme of the URL says which of the two kits is run; `memory:` is both. The cases are data, in `CASES` and
`NOTIFY_CASES`; `run_cases` and `run_notify_cases` take a factory of adapters and need no test framework.

Every case is seen to fail: `tests/conformance` plants faults into the SQLite adapter and the notifier within one
process, one at a time, and demands that the cases named in `caught.toml` and `caught_notify.toml` notice. A fault that
no case catches is an error, and so is a case that catches no fault. The last column names the faults with which a case
must fail; it may notice more. Drawn by `python -m tests.conformance`; a test fails when page and kits differ.
"""


def page() -> str:
    """The whole page as Markdown."""
    state = _kit("State adapters", state_cases.THEMES, package=state_cases, table="caught.toml")
    notify = _kit("Notify adapters", notify_cases.NOTIFY_THEMES, package=notify_cases, table="caught_notify.toml")
    return "\n".join([_INTRODUCTION, *state, *notify])


def _kit(title: str, themes: Sequence[Theme[Any]], *, package: ModuleType, table: str) -> list[str]:
    caught: Mapping[str, Sequence[str]] = tomllib.loads((Path(__file__).parent / table).read_text())
    number = sum(len(theme.cases) for theme in themes)
    head = f"## {title}\n\n{number} cases in {len(themes)} themes; {len(caught)} faults.\n"
    return [head, *(_theme(theme, package, caught) for theme in themes)]


def _theme(theme: Theme[Any], package: ModuleType, caught: Mapping[str, Sequence[str]]) -> str:
    about = (import_module(f"{package.__name__}.{theme.name}").__doc__ or "").strip()
    head = f"### {theme.name}\n\n{about}\n\n| case | promise | fails with |\n|---|---|---|"
    rows = (f"| `{_cell(case.name)}` | {_cell(case.promise)} | {_faults(case.name, caught)} |" for case in theme.cases)
    return "\n".join([head, *rows, ""])


def _faults(case: str, caught: Mapping[str, Sequence[str]]) -> str:
    return ", ".join(f"`{fault}`" for fault, cases in caught.items() if case in cases)


def _cell(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|")
