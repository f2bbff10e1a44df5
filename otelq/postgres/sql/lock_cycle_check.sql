-- Serialises, until the commit, the transactions whose blocker rows may close a cycle. Locks on the chains cannot: the
-- rows of a long cycle can be locked by transactions that share none. Taken after the locks on chains, so that no verb
-- that has this lock waits for a chain. A later verb of a caller's transaction may; the server ends that deadlock.
--
-- The row is the lock. It excludes also where sessions are on different nodes of a cluster, each with advisory locks of
-- its own. The advisory lock is for workers of the release before, which take no other; it goes with the next release.
-- All take it before the row, so those that have the row never wait for it. The row has no version but its first: a
-- lock writes none.
WITH advisory AS MATERIALIZED (
    SELECT pg_advisory_xact_lock(hashtextextended('otelq waits of {schema}', 0)) IS NOT NULL AS is_ours
),
locked AS MATERIALIZED (
    SELECT FROM {schema}.cycle_check WHERE (SELECT is_ours FROM advisory) FOR UPDATE
)
SELECT EXISTS (SELECT FROM locked) AS is_ours, EXISTS (SELECT FROM {schema}.cycle_check) AS is_there
