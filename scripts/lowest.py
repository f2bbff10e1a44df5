"""Print the oldest versions that pyproject.toml allows, as constraints; for `make pins`."""

import re
import tomllib
from pathlib import Path

project = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text())["project"]
extras = [requirement for extra in project["optional-dependencies"].values() for requirement in extra]
for requirement in [*project["dependencies"], *extras]:
    if found := re.fullmatch(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)", requirement):
        print(f"{found[1]}=={found[2]}")
    elif not requirement.startswith(f"{project['name']}["):
        raise SystemExit(f"pyproject.toml: {requirement!r} names no oldest version")
