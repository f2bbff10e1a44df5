"""The ports: what a database and a notifier must do for otelq."""
