"""The client of an application, and the values that it takes and returns."""

from ..definitions import Chain
from .client import Client
from .engine import Engine
from .filters import ChainFilters, JobFilters
from .reasons import Explanation, Reason, ReasonCode
from .start import Start, new_id

__all__ = [
    "Chain",
    "ChainFilters",
    "Client",
    "Engine",
    "Explanation",
    "JobFilters",
    "Reason",
    "ReasonCode",
    "Start",
    "new_id",
]
