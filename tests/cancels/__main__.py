"""
Cancel every verb at random depths for as long as you like, on one driver or on all of them.

    python -m tests.cancels --seconds 600 --driver all --seed 1

The seconds are shared by the drivers. Exits with 1 if a process crashed or hung, if anything was lost or doubled, or
if the application's own connections were not as it left them.
"""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

from otelq_verify.drivers import POSTGRES, SQLITE
from tests import servers

from .calls import NAMES
from .launch import Ended, cancel


def main(arguments: Sequence[str] | None = None) -> int:
    """Run once from the command line."""
    parser = argparse.ArgumentParser(prog="tests.cancels", description=__doc__)
    parser.add_argument("--driver", choices=["all", *POSTGRES, *SQLITE], default="all")
    parser.add_argument("--seconds", type=float, default=60, help="for all drivers together")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument(
        "--only", default="", choices=NAMES, metavar="CALL", help="one call only; 'plain' is without otelq"
    )
    parser.add_argument("--version", type=int, default=18, help="of PostgreSQL")
    options = parser.parse_args(arguments)
    seed = secrets.randbits(32) if options.seed is None else options.seed
    drivers = (*POSTGRES, *SQLITE) if options.driver == "all" else (options.driver,)
    print(f"seed {seed}", file=sys.stderr)
    ended = [_try(one, options, seconds=options.seconds / len(drivers), seed=seed) for one in drivers]
    return 0 if all(one.is_clean for one in ended) else 1


def _try(driver: str, options: argparse.Namespace, *, seconds: float, seed: int) -> Ended:
    server = nullcontext() if driver in SQLITE else servers.postgres(options.version)
    with TemporaryDirectory(prefix="otelq-cancels-") as folder, server as running:
        url = running.create_database() if running else f"sqlite:///{Path(folder)}/otelq.db"
        try:
            ended = cancel(url, driver, seconds=seconds, seed=seed, only=options.only)
        finally:
            if running:
                running.drop_database(url)
    print(f"{'ok  ' if ended.is_clean else 'FAIL'}  {driver}: {ended.how}\n{ended.said}", flush=True)
    return ended


if __name__ == "__main__":
    sys.exit(main())
