"""The commands: ``otelq demo``, ``otelq worker`` and ``otelq migrate``. The composition root for people at a shell."""
