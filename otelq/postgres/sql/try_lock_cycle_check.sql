-- Takes the locks of lock_cycle_check without waiting, as a worker must not wait. is_ours is false if one is taken; the
-- advisory lock may be ours even then, which makes others try again until our commit.
WITH advisory AS MATERIALIZED (
    SELECT pg_try_advisory_xact_lock(hashtextextended('otelq waits of {schema}', 0)) AS is_ours
),
locked AS MATERIALIZED (
    SELECT FROM {schema}.cycle_check WHERE (SELECT is_ours FROM advisory) FOR UPDATE SKIP LOCKED
)
SELECT EXISTS (SELECT FROM locked) AS is_ours, EXISTS (SELECT FROM {schema}.cycle_check) AS is_there
