"""
Upgrades: stored data and running workers of earlier code, under the code of today.

Each folder beside this file is a fixture of one earlier schema: its tables with jobs of every kind as SQL
(``postgres.sql``, ``sqlite.sql``), the answers that the client gave then (``*.json``), and the code of then
(``otelq.tar.xz``), whose worker runs in a process of its own. ``python -m tests.upgrade FOLDER`` makes the next one.
"""
