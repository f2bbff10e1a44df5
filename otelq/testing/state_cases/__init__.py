"""The promises of the state port, one file per theme; ``CASES`` has them all."""

from __future__ import annotations

from collections.abc import Sequence

from ..cases import Case
from .blockers import blockers
from .claim import claim
from .create import create
from .dedup import dedup
from .fence import fence
from .finish import finish
from .queries import queries
from .reap import reap
from .requests import requests
from .retry import retry
from .rules import rules
from .scopes import scopes
from .settle import settle
from .transactions import transactions
from .values import values
from .waiting import waiting

THEMES = (
    create, dedup, scopes, blockers, rules, waiting, claim, fence, settle, retry, reap, finish, requests, queries,
    transactions, values,
)  # fmt: skip

CASES: Sequence[Case] = tuple(case for theme in THEMES for case in theme.cases)
"""Every case, in an order that goes from the simple to the involved."""
