"""The promises of a notifier, kept by Redis (alone, as a Cluster, behind Sentinel) and NATS."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import otelq_nats
import otelq_redis
from otelq.ports.notify import NotifyAdapter
from otelq_verify.conformance.notify_cases import NOTIFY_CASES
from otelq_verify.conformance.notify_kit import NotifyCase, run_notify_case

from ..brokers import Broker


def maker(url: str) -> Callable[[], NotifyAdapter]:
    """Return what makes notifiers of a server."""
    package = otelq_nats if url.startswith("nats") else otelq_redis
    return lambda: package.notifier(url)


@pytest.mark.parametrize("case", NOTIFY_CASES, ids=[case.name for case in NOTIFY_CASES])
async def test_it_keeps_the_promises_of_a_notifier(case: NotifyCase, broker: Broker) -> None:
    result = await run_notify_case(maker(broker.url), case)

    assert result.passed, result.message
