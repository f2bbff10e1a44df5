"""Proofs that an adapter, a database and a notifier keep the promises of otelq."""
