"""Hints over Redis for otelq. Empty so far: nothing here works yet.

It will hold a notifier that wakes workers through Redis. It may use only `otelq.ports`, `otelq.model` and
`otelq.errors`, like any adapter that somebody else writes.
"""
