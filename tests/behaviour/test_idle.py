"""What an idle worker asks of its store."""

from __future__ import annotations

from typing import Any

import otelq
from tests.stores import PrivateState

from .support import until

jobs = otelq.Jobs()


@jobs.job("greet")
async def greet(attempt: otelq.Attempt[None]) -> None: ...


class Questioned(PrivateState):
    """A store that counts claims, and questions for what is due."""

    claims = 0
    questions = 0

    async def claim(self, *args: Any, **options: Any) -> Any:
        self.claims += 1
        return await super().claim(*args, **options)

    async def next_due(self, *args: Any, **options: Any) -> Any:
        self.questions += 1
        return await super().next_due(*args, **options)


async def test_an_idle_worker_asks_what_is_due_and_claims_only_that() -> None:
    store = Questioned()
    async with otelq.connect(store) as client, otelq.Worker(client, jobs, poll_interval=0.01):
        await until(lambda: store.questions > 5)
        assert store.claims == 1

        await client.result(await client.start(greet, None), timeout=10)
