"""Notifiers over servers of their own: Redis and NATS."""
