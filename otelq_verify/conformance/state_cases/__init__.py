"""The promises of the state port, one file per theme; ``CASES`` has them all."""

from __future__ import annotations

from collections.abc import Sequence

from ..cases import Case
from ..kit import Kit
from .aliases import aliases
from .amend import amend
from .blockers import blockers
from .cascade import cascade
from .circles import circles
from .claim import claim
from .complete_externally import complete_externally
from .create import create
from .dedup import dedup
from .expire import expire
from .fence import fence
from .filters import filters
from .leader import leader
from .lock import lock
from .pages import pages
from .queries import queries
from .reap import reap
from .redrive import redrive
from .requests import requests
from .retry import retry
from .rules import rules
from .scopes import scopes
from .settle import settle
from .take_over import take_over
from .transactions import transactions
from .values import values
from .waits import waits
from .workers import workers

THEMES = (
    create, dedup, scopes, aliases, blockers, rules, waits, circles, claim, fence, settle, retry, reap, expire,
    complete_externally, requests, amend, take_over, redrive, cascade, lock, queries, filters, pages, transactions,
    values, workers, leader,
)  # fmt: skip

CASES: Sequence[Case[Kit]] = tuple(case for theme in THEMES for case in theme.cases)
"""Every case, in an order that goes from the simple to the involved."""
