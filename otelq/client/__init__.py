"""What an application holds: the client, the chains it started, and what it can ask."""

from ..definitions import Chain
from .client import Client
from .engine import Engine
from .explaining import Explanation, Reason, Why
from .queries import ChainFilters, JobFilters
from .starting import Start, new_id

__all__ = [
    "Chain",
    "ChainFilters",
    "Client",
    "Engine",
    "Explanation",
    "JobFilters",
    "Reason",
    "Start",
    "Why",
    "new_id",
]
