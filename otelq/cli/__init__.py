"""The commands ``otelq demo``, ``otelq worker`` and ``otelq migrate``."""
