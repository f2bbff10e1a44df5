-- Finds these chains, the blockers of all their jobs, and the blockers of those in turn.
WITH RECURSIVE reached (chain_id) AS (
    SELECT i.chain_id
    FROM unnest($1::uuid[]) AS i (chain_id)
    UNION
    SELECT b.blocker_id
    FROM reached
    CROSS JOIN LATERAL (
        SELECT b.blocker_id FROM {schema}.blocker AS b WHERE b.chain_id = reached.chain_id OFFSET 0
    ) AS b
)
SELECT chain_id::text FROM reached
