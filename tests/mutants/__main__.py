"""
Breaks each rule in a copy of the tree and demands that its test notices: ``python -m tests.mutants [id...]``.

First all named tests must be green without a mutant. Exits with 1 if a mutant survives, a patch does not apply, or a
test could not be run.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from tests.servers import postgres

from .listing import Mutant, mutants
from .running import Fate, Verdict, not_green, try_mutant

AT_ONCE = 2


def main(names: Sequence[str]) -> int:
    chosen = choose(names)
    began = time.monotonic()
    killed = 0
    with servers(chosen) as env:
        for verdict in judge(chosen, env):
            print(line(verdict), flush=True)
            killed += verdict.fate is Fate.KILLED
    print(f"{killed} of {len(chosen)} mutants killed, in {time.monotonic() - began:.0f} s")
    return int(killed < len(chosen))


def choose(names: Sequence[str]) -> list[Mutant]:
    """The mutants of these ids; all where none is named."""
    known = {mutant.id: mutant for mutant in mutants()}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"there is no mutant {', '.join(unknown)}; there are {', '.join(known)}")
    return [known[name] for name in names or known]


def judge(chosen: Sequence[Mutant], env: Mapping[str, str]) -> Iterator[Verdict]:
    """What becomes of each, in order, two at a time; those whose test is not green to begin with are not tried."""
    unfit = not_green({test for mutant in chosen for test in mutant.tests}, env)

    def one(mutant: Mutant) -> Verdict:
        for test in mutant.tests:
            if test in unfit:
                return Verdict(mutant, Fate.UNTESTED, f"without the mutant {test} {unfit[test]}")
        return try_mutant(mutant, env)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(one, chosen)


@contextmanager
def servers(chosen: Sequence[Mutant]) -> Generator[Mapping[str, str]]:
    """One server of each version that is needed, shared by all runs through their environment."""
    with ExitStack() as running:
        env: dict[str, str] = {}
        for version in (16, 18):
            if any(f"postgres{version}" in test for mutant in chosen for test in mutant.tests):
                env[f"OTELQ_TEST_POSTGRES_{version}"] = running.enter_context(postgres(version)).dsn()
        yield env


def line(verdict: Verdict) -> str:
    """A row of the table."""
    mutant = verdict.mutant
    row = f"{verdict.fate:<10}  {mutant.rule:<4}  {mutant.id:<40}  {mutant.title}"
    return f"{row}\n            {verdict.reason}" if verdict.reason else row


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
