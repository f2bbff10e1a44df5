"""What the tests of the repository look at."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("otelq", "otelq_redis", "otelq_nats", "otelq_verify")


def tracked_files() -> list[Path]:
    """Every file that git knows and the work tree still has."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    paths = [ROOT / name for name in listed.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]
