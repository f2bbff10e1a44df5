"""The parts that notifiers share: a notifier over any channel, its receivers, outbox and messages."""

from ..uninterrupted import finish
from .awaited import AwaitedChains
from .broadcast import BroadcastNotify
from .channel import Channel, check_timeout
from .messages import Message, messages, ping, read
from .outbox import Outbox
from .receivers import Receivers

__all__ = [
    "AwaitedChains",
    "BroadcastNotify",
    "Channel",
    "Message",
    "Outbox",
    "Receivers",
    "check_timeout",
    "finish",
    "messages",
    "ping",
    "read",
]
