"""``python -m otelq_verify``: proofs to run on one's own database."""

from __future__ import annotations

from .commands import main

if __name__ == "__main__":
    main(prog_name="python -m otelq_verify")
