"""
Torture a database whose server is ours, for as long as you like.

    python -m tests.torture --backend postgres18 --seconds 1200 --seed 1 --out build/torture-postgres18.json

What `python -m otelq_verify torture` does to a database that is somebody's, and more: the server is crashed and failed
over, and its disk is full at times. Exits with 1 if anything is violated.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

from otelq_verify.drivers import POSTGRES, SQLITE
from otelq_verify.torture import TorturePlan, torture
from tests.torture.servers import tortured

BACKENDS = ("sqlite", "postgres18", "postgres16")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run once from the command line."""
    parser = argparse.ArgumentParser(prog="tests.torture", description=__doc__)
    parser.add_argument("--backend", choices=BACKENDS, default="postgres18")
    parser.add_argument("--seconds", type=float, default=60, help="how long faults strike")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--pace", type=float, default=4.0, help="seconds between two faults")
    parser.add_argument("--driver", action="append", choices=[*POSTGRES, *SQLITE], help="several take turns")
    parser.add_argument("--cancels", type=float, default=0.0, help="the share of what clients do that is cancelled")
    parser.add_argument("--out", type=Path, help="where the report is kept as JSON")
    options = parser.parse_args(arguments)
    seed = secrets.randbits(32) if options.seed is None else options.seed
    print(f"seed {seed}", file=sys.stderr)
    logging.basicConfig(level=logging.ERROR, format="%(asctime)s %(message)s")
    logging.getLogger("otelq_verify.torture").setLevel(logging.INFO)
    plan = TorturePlan(
        seed=seed,
        seconds=options.seconds,
        workers=options.workers,
        pace=options.pace,
        drivers=tuple(options.driver or [None]),
        cancels=options.cancels,
    )
    with tortured(options.backend) as server:
        report = asyncio.run(torture(server.url, plan, server=server))
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(report.as_json())
    print(report)
    return 0 if report.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
