-- Takes the lock of lock_cycle_check without waiting, as a worker must not wait. Returns false if it is taken.
SELECT pg_try_advisory_xact_lock(hashtextextended('otelq waits of {schema}', 0)) AS is_ours
