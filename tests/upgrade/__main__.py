"""Make the fixture of the last commit's schema: ``python -m tests.upgrade schema_4``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from ..servers import postgres
from .fixtures import HERE, Fixture


def main(name: str) -> None:
    """Write the fixture into a folder of this name."""
    fixture = Fixture(HERE / name)
    with tempfile.TemporaryDirectory() as folder, postgres(18) as server:
        fixture.make(f"sqlite:///{Path(folder)}/otelq.db")
        fixture.make(server.create_database())
    fixture.pack_code()


if __name__ == "__main__":
    main(*sys.argv[1:])
