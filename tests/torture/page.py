"""
The figures of `make torture` in `docs/reference/verification.md`.

    python -m tests.torture.page build/torture-postgres18.json build/torture-sqlite.json

keeps what is worth keeping of these reports, with the commit that they are of, and draws the page's part anew.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from msgspec import json

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reference/verification.md"
FIGURES = Path(__file__).with_name("figures.json")
BEGIN, END = "<!-- drawn from tests/torture/figures.json -->\n", "<!-- drawn -->\n"
KEPT = (
    "clean", "strikes", "database", "plan", "seconds", "drain_seconds", "faults", "absent", "chains", "rolled_back",
    "in_doubt", "effects", "changes", "statuses", "verbs", "violations", "unclean_exits",
)  # fmt: skip


def figures() -> dict[str, Any]:
    """What was kept: the commit, and for each database what its run did and found."""
    kept: dict[str, Any] = json.decode(FIGURES.read_bytes())
    return kept


def keep(reports: Sequence[dict[str, Any]], *, commit: str) -> None:
    """Keep what is told of runs."""
    runs = [{name: report[name] for name in KEPT} for report in reports]
    for run in runs:
        run["faults"] = {name: {**struck, "hits": len(struck["hits"])} for name, struck in run["faults"].items()}
    FIGURES.write_bytes(json.format(json.encode({"commit": commit, "runs": runs}), indent=1) + b"\n")


def drawn(kept: dict[str, Any]) -> str:
    """The part of the page that tells of the runs."""
    runs = kept["runs"]
    return "\n".join(
        [
            f"At commit {kept['commit']}, on two cores with other work beside:\n",
            *_outcomes(runs),
            "",
            *_faults(runs),
            "",
        ]
    )


def redrawn(text: str, kept: dict[str, Any]) -> str:
    """The page with that part anew."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + "\n" + drawn(kept) + "\n" + END + rest.partition(END)[2]


def _outcomes(runs: Sequence[dict[str, Any]]) -> Iterable[str]:
    yield _row("", *(run["database"] for run in runs))
    yield _row("---", *("---" for _ in runs))
    yield _row("seed", *(run["plan"]["seed"] for run in runs))
    yield _row(
        "seconds, of them to let all end", *(f"{run['seconds']:.0f}, {run['drain_seconds']:.0f}" for run in runs)
    )
    yield _row("faults that hit something", *(run["strikes"] for run in runs))
    yield _row("leases live when they struck", *(sum(s["leases"] for s in run["faults"].values()) for run in runs))
    yield _row("chains started for certain", *(run["chains"] for run in runs))
    yield _row("starts rolled back; in doubt", *(f"{run['rolled_back']}; {run['in_doubt']}" for run in runs))
    yield _row("jobs closed", *(sum(run["statuses"].values()) for run in runs))
    yield _row("attempts; leases reaped", *(f"{run['verbs']['claim']}; {run['verbs'].get('reap', 0)}" for run in runs))
    yield _row("effects in `completion()`", *(run["effects"] for run in runs))
    yield _row("changes of rows checked", *(run["changes"] for run in runs))
    yield _row("violations: lost, doubled, contradictory", *(len(run["violations"]) for run in runs))
    yield _row("processes that did not stop in order", *(len(run["unclean_exits"]) for run in runs))


def _faults(runs: Sequence[dict[str, Any]]) -> Iterable[str]:
    yield _row("fault", *(run["database"] for run in runs))
    yield _row("---", *("---" for _ in runs))
    for name in sorted({name for run in runs for name in run["faults"]}):
        yield _row(name, *(run["faults"].get(name, {}).get("times", "") for run in runs))


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _commit() -> str:
    asked = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return asked.stdout.strip()


def main(paths: Sequence[str]) -> None:
    """Keep these reports, if there are any, and draw."""
    if paths:
        keep([json.decode(Path(path).read_bytes()) for path in paths], commit=_commit())
    PAGE.write_text(redrawn(PAGE.read_text(), figures()))


if __name__ == "__main__":
    main(sys.argv[1:])
