"""The promises of the notify port, one file per theme; ``NOTIFY_CASES`` has them all."""

from __future__ import annotations

from collections.abc import Sequence

from otelq.ports.notify import NotifyAdapter

from ..notify_kit import NotifyCase
from .carrying import carrying
from .lives import lives
from .publishing import publishing
from .receivers import receivers
from .sharing import sharing

NOTIFY_THEMES = (carrying, publishing, receivers, lives, sharing)

NOTIFY_CASES: Sequence[NotifyCase] = tuple(case for theme in NOTIFY_THEMES for case in theme.cases)
"""Every case, in an order that goes from the simple to the involved."""


def notify_cases_for(adapter: NotifyAdapter) -> Sequence[NotifyCase]:
    """The cases of what the adapter promises: those of ``sharing`` only where hints reach others."""
    return tuple(case for case in NOTIFY_CASES if adapter.is_shared or case not in sharing.cases)
