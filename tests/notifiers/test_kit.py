"""The promises of a notifier, kept by Redis (alone, as a Cluster, behind Sentinel) and NATS."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from random import Random

import pytest

import otelq_nats
import otelq_redis
from otelq.ports.notify import Hint, HintKind, NotifyAdapter
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


async def test_a_close_at_any_moment_leaves_no_connection(own_broker: Broker) -> None:
    """What is left would be warned of when it is collected, and warnings fail a test."""
    make, chance = maker(own_broker.url), Random(7)
    for turn in range(41):
        if turn == 40:
            own_broker.kill()  # the last turn meets a server that is away
        notifier = make()
        await notifier.open()
        notifier.subscribe(lambda hint: None)
        notifier.publish([Hint(HintKind.DUE, "mail")])
        await asyncio.sleep(chance.uniform(0, 0.008))
        await notifier.close()
    gc.collect()
