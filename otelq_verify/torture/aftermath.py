"""The state that a run left, compared with the promises that its clients got."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from otelq.client import Client

from ..invariants import Violation, violations
from .knowledge import Knowledge
from .tables import HISTORY, LEDGER, ORDERS, rows

_CHAINS: Final = "SELECT CAST(chain_id AS text) FROM {job} WHERE position = 0"
_STATUSES: Final = "SELECT status, count(*) FROM {outcome} GROUP BY status"
_SPAWNED: Final = f"SELECT chain_id, position, detail FROM {HISTORY} WHERE kind = 'effect' AND detail <> ''"
_ORDERS: Final = f"SELECT chain_id FROM {ORDERS}"
_OUTPUTS: Final = """
SELECT CAST(chain_id AS text), position, CAST(output AS text) FROM {outcome}
WHERE status = 'completed' AND verb = 'complete'
"""
_EFFECTS: Final = f"SELECT count(*) FROM {HISTORY} WHERE kind = 'effect'"


class Aftermath:
    """The tables of the application after a run, beside what its clients know."""

    def __init__(self, client: Client, *, schema: str, knowledge: Knowledge, deleted: frozenset[str]) -> None:
        self._client = client
        self._schema = schema
        self._known = knowledge
        self._deleted = deleted

    async def violations(self) -> list[Violation]:
        """Return the rows that break the invariants, or the promises that clients got."""
        found = await violations(self._client, self._schema, ledger=LEDGER)
        there = {chain for (chain,) in await self._rows(_CHAINS)} | self._deleted
        found += _absent(
            self._known.committed - there, "lost chains", "its start was acknowledged, and it is not there"
        )
        found += _absent(self._known.rolled_back & there, "undone starts", "its transaction was rolled back")
        found += await self._spawned(there)
        found += await self._orders(there)
        found += await self._outputs()
        return found

    async def statuses(self) -> Counter[str]:
        """Return how many jobs closed in each status."""
        return Counter(dict(await self._rows(_STATUSES)))

    async def effects(self) -> int:
        """Return how many effects were committed."""
        [(number,)] = await self._rows(_EFFECTS)
        return int(number)

    async def _spawned(self, there: set[str]) -> list[Violation]:
        """Check that a chain that was started in a completion exists if the completion does."""
        return [
            Violation("I13", "starts in completions", chain, position, f"it closed, and its {child} is not there")
            for chain, position, detail in await self._rows(_SPAWNED)
            for child in detail.split()
            if child not in there
        ]

    async def _orders(self, there: set[str]) -> list[Violation]:
        """
        Check that a chain that was started in the caller's transaction exists if and only if the caller's row does.
        """
        ordered = {chain for (chain,) in await self._rows(_ORDERS)}
        return [
            *_absent(ordered - there, "starts in transactions", "the caller's row is there, and the chain is not"),
            *_absent((self._known.tied & there) - ordered, "starts in transactions", "its caller's row is not there"),
        ]

    async def _outputs(self) -> list[Violation]:
        expected = self._known.outputs
        return [
            Violation("I5", "outputs of chains", chain, position, f"yields {output}, and not {expected[chain]}")
            for chain, position, output in await self._rows(_OUTPUTS)
            if chain in expected and json.loads(output) != expected[chain]
        ]

    async def _rows(self, query: str) -> Any:
        async with self._client.transaction() as connection:
            return await rows(connection, query, schema=self._schema)


def _absent(chains: Iterable[str], check: str, detail: str) -> list[Violation]:
    return [Violation("A4", check, chain, 0, detail) for chain in sorted(chains)]
