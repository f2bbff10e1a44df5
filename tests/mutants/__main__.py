"""
Break each rule in a copy of the tree and demand that its tests notice: ``python -m tests.mutants [--only ID]...``.

First all named tests must pass without a mutant. Exits with 1 if a mutant survives or no longer fits the code, or if a
test could not be run.
"""

from __future__ import annotations

import os
import sys
import time
from argparse import ArgumentParser
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from queue import SimpleQueue

from tests.servers import postgres

from .catalogue import Mutant, mutants
from .trials import Fate, Tree, Verdict, copied

AT_ONCE = os.cpu_count() or 2


def main(arguments: Sequence[str]) -> int:
    parser = ArgumentParser(prog="python -m tests.mutants", description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--only", metavar="ID", action="append", default=[], help="try this mutant; may be repeated")
    chosen = choose(parser.parse_args(arguments).only)
    began, killed = time.monotonic(), 0
    with servers(chosen) as env, trees(env) as copies:
        for verdict in judge(chosen, copies):
            print(line(verdict), flush=True)
            killed += verdict.fate is Fate.KILLED
    print(f"{killed} of {len(chosen)} mutants killed, in {time.monotonic() - began:.0f} s")
    return int(killed < len(chosen))


def choose(names: Sequence[str]) -> list[Mutant]:
    """Return the mutants of these ids; all where none is named."""
    known = {mutant.id: mutant for mutant in mutants()}
    if unknown := [name for name in names if name not in known]:
        raise SystemExit(f"there is no mutant {', '.join(unknown)}; there are {', '.join(known)}")
    return [known[name] for name in names or known]


def judge(chosen: Sequence[Mutant], copies: Sequence[Tree]) -> Iterator[Verdict]:
    """Yield what becomes of each, in order, one at a time in each copy."""
    free: SimpleQueue[Tree] = SimpleQueue()
    for copy in copies:
        free.put(copy)

    def run(tests: Sequence[str]) -> dict[str, str]:
        with taken(free) as tree:
            return tree.run(tests)

    def attempt(mutant: Mutant) -> Verdict:
        if verdict := untested(mutant, unfit):
            return verdict
        with taken(free) as tree:
            return tree.attempt(mutant)

    tests = sorted({test for mutant in chosen for test in mutant.tests})
    with ThreadPoolExecutor(len(copies)) as pool:
        parts = [part for n in range(len(copies)) if (part := tests[n :: len(copies)])]
        results = {test: result for part in pool.map(run, parts) for test, result in part.items()}
        unfit = {test: result for test in tests if (result := results.get(test, "is not collected")) != "passed"}
        yield from pool.map(attempt, chosen)


@contextmanager
def taken(free: SimpleQueue[Tree]) -> Generator[Tree]:
    """Yield a copy that nobody uses, alone for the time of the block."""
    tree = free.get()
    try:
        yield tree
    finally:
        free.put(tree)


def untested(mutant: Mutant, unfit: Mapping[str, str]) -> Verdict | None:
    """Return the verdict on a mutant of which a test does not pass without it."""
    for test in mutant.tests:
        if test in unfit:
            return Verdict(mutant, Fate.UNTESTED, f"without the mutant {test} {unfit[test]}")
    return None


@contextmanager
def trees(env: Mapping[str, str]) -> Generator[Sequence[Tree]]:
    """Yield as many copies as runs go on at once."""
    with ExitStack() as stack:
        yield [stack.enter_context(copied(env)) for _ in range(AT_ONCE)]


@contextmanager
def servers(chosen: Sequence[Mutant]) -> Generator[Mapping[str, str]]:
    """Yield the environment that leads to one server of each version that is needed, shared by all runs."""
    with ExitStack() as running:
        env: dict[str, str] = {}
        for version in (16, 18):
            if any(f"postgres{version}" in test for mutant in chosen for test in mutant.tests):
                env[f"OTELQ_TEST_POSTGRES_{version}"] = running.enter_context(postgres(version)).dsn()
        yield env


def line(verdict: Verdict) -> str:
    """Return a row of the table."""
    mutant = verdict.mutant
    row = f"{verdict.fate:<10}  {verdict.seconds:3.0f} s  {mutant.invariant:<3}  {mutant.id:<37}  {mutant.rule}"
    return f"{row}\n            {verdict.reason}" if verdict.reason else row


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
