-- Serialises, until the commit, those whose edges may close a circle. Taken after all rows, so that nobody who has it
-- waits for one.
SELECT pg_advisory_xact_lock(hashtextextended('otelq waits of {schema}', 0))
