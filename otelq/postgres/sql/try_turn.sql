-- As take_turn, but never waiting; says whether it was free.
SELECT pg_try_advisory_xact_lock(hashtextextended('otelq waits of {schema}', 0)) AS is_ours
