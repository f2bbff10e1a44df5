-- Serialises, until the commit, the transactions whose blocker rows may close a cycle. Row locks cannot: the rows of a
-- long cycle can be locked by transactions that share none. Taken after all row locks, so that a transaction that has
-- it never waits for a row.
SELECT pg_advisory_xact_lock(hashtextextended('otelq waits of {schema}', 0))
