"""Adapters for a URL."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from otelq.ports.state import StateAdapter


def factory(url: str) -> Callable[[], StateAdapter]:
    """Makes adapters for one store."""
    scheme = url.split(":", 1)[0]
    make = import_module("otelq.postgres" if scheme.startswith("postgres") else f"otelq.{scheme}").adapter
    return lambda: make(url)
