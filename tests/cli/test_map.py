"""The map in `docs/internals/map.md` agrees with the code."""

import re
import tomllib

from ..repo.overview import page
from .shell import ROOT

MAP = (ROOT / "docs/internals/map.md").read_text()


def test_the_layers_on_the_map_are_those_of_the_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract.get("containers") == ["otelq"])
    rows = [re.findall(r"`(\w+)`", line.split("|")[1]) for line in MAP.splitlines() if line.startswith("| `")]
    assert rows == [re.findall(r"\w+", layer) for layer in layers]


def test_every_file_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`((?:\w+/)*\w+\.(?:py|sql))`", MAP.partition("## Every file")[0]))
    assert named
    assert {name for name in named if not list((ROOT / "otelq").rglob(name))} == set()


def test_every_file_is_on_the_map_with_its_first_sentence() -> None:
    assert page() == MAP
