"""An SDK of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .sdk import Sdk


@pytest.fixture
def sdk() -> Iterator[Sdk]:
    """Providers in memory, shut down afterwards."""
    sdk = Sdk()
    yield sdk
    sdk.shutdown()
