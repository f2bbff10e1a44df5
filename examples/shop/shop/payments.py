"""Stands in for a payment provider, which is slow, does not always answer, and charges each key once."""

import asyncio
from collections import Counter

_calls: Counter[str] = Counter()


class Declined(Exception):
    """The bank refuses the card. Another try would not help."""


async def charge(card: str, cents: int, *, key: str) -> str:
    """
    Charge a card and return the receipt.

    The card ``flaky`` gets no answer at the first call with a key; the card ``empty`` is declined.
    """
    await asyncio.sleep(0.02)
    _calls[key] += 1
    if card == "flaky" and _calls[key] == 1:
        raise ConnectionError("the payment provider does not answer")
    if card == "empty":
        raise Declined(f"there is no money for {cents} cents on the card")
    return f"receipt-{key}"
