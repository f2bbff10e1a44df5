"""The parts that notifiers share: receivers, an outbox that merges hints under load, and the text of a message."""

from .awaited import AwaitedChains
from .messages import Message, messages, ping, read
from .outbox import Outbox
from .receivers import Receivers

__all__ = ["AwaitedChains", "Message", "Outbox", "Receivers", "messages", "ping", "read"]
