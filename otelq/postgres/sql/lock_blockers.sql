-- Locks the hot rows of blockers in ascending order, and marks them as waited on. They stay locked, so that no blocker
-- closes before the blocker rows of its dependents are committed; a close that waits for the lock then finds the mark.
-- A chain without a row is closed or does not exist: the next statement, with its newer snapshot, can tell.
WITH locked AS MATERIALIZED (
    SELECT o.chain_id, o.waited_on
    FROM unnest($1::uuid[]) AS i (chain_id)
    CROSS JOIN LATERAL (
        SELECT o.chain_id, o.waited_on
        FROM {schema}.open_job AS o
        WHERE o.chain_id = i.chain_id
        {lock}
    ) AS o
),
marked AS (
    UPDATE {schema}.open_job
    SET waited_on = true
    WHERE chain_id = ANY (ARRAY(SELECT chain_id FROM locked WHERE NOT waited_on))
)
SELECT chain_id::text FROM locked
