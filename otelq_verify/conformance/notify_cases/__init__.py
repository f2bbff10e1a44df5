"""The promises of the notify port, one file per theme; ``NOTIFY_CASES`` has them all."""

from __future__ import annotations

from collections.abc import Sequence

from otelq.ports.notify import NotifyAdapter

from ..notify_kit import NotifyCase
from .content import content
from .lifecycle import lifecycle
from .peers import peers
from .publish import publish
from .receivers import receivers

NOTIFY_THEMES = (content, publish, receivers, lifecycle, peers)

NOTIFY_CASES: Sequence[NotifyCase] = tuple(case for theme in NOTIFY_THEMES for case in theme.cases)
"""Every case, in an order that goes from the simple to the involved."""


def notify_cases_for(adapter: NotifyAdapter) -> Sequence[NotifyCase]:
    """Return the cases that the adapter promises: those of ``peers`` only where hints reach other adapters."""
    return tuple(case for case in NOTIFY_CASES if adapter.is_shared or case not in peers.cases)
