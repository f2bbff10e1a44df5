"""``python -m otelq.testing``: the former name of ``python -m otelq_verify``."""

from __future__ import annotations

import shlex
import sys


def main() -> None:
    """Print the command to run instead, and exit with 2."""
    command = shlex.join(["python", "-m", "otelq_verify", *sys.argv[1:]])
    print(f"the proofs are a package of their own; run: {command}", file=sys.stderr)
    raise SystemExit(2)


if __name__ == "__main__":
    main()
