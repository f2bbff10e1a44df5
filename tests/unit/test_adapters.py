"""Finding adapters: those of otelq before all others, whatever lies on the import path."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import otelq
from otelq import adapters
from otelq.sqlite.state import SqliteState

ROOT = Path(__file__).parents[2]

ADAPTER = """
def adapter(url, **options):
    raise SystemExit("an adapter from the folder was given the URL")
"""


def plant(folder: Path, *, name: str, scheme: str, module: str) -> None:
    """A package whose metadata offer an adapter, as if it was installed."""
    metadata = folder / f"{name}.egg-info"
    metadata.mkdir()
    (metadata / "PKG-INFO").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(f"[otelq.state]\n{scheme} = {module}:adapter\n")
    (folder / f"{module}.py").write_text(ADAPTER)


@pytest.mark.parametrize("name", ["otelq", "other"])
def test_metadata_on_the_path_do_not_replace_an_adapter_of_otelq(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    plant(tmp_path, name=name, scheme="memory", module="planted")
    monkeypatch.syspath_prepend(tmp_path)
    client = otelq.connect("memory://")
    assert isinstance(client._engine.state, SqliteState)  # pyright: ignore[reportPrivateUsage]  # it is not open


def test_an_adapter_of_another_package_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path, name="other", scheme="other", module="planted")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SystemExit, match="was given the URL"):
        otelq.connect("other://host")
    assert "other" in adapters.known_schemes("otelq.state")


def test_two_adapters_for_one_scheme_are_named_and_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("first", "second"):
        folder = tmp_path / place
        folder.mkdir()
        plant(folder, name="other", scheme="other", module=f"planted_{place}")
        monkeypatch.syspath_prepend(folder)
    with pytest.raises(otelq.InvalidArgument, match="planted_first:adapter and planted_second:adapter"):
        otelq.connect("other://host")


def test_what_otelq_ships_is_what_its_package_declares() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    assert declared == adapters.BUILT_IN
