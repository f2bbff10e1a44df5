"""What an application holds: the client, the chains it started, and what it can ask."""

from ..definitions import Chain
from .client import Client
from .engine import Engine
from .starting import Start, new_id

__all__ = ["Chain", "Client", "Engine", "Start", "new_id"]
