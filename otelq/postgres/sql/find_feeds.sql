-- These chains, the blockers of any job of theirs, and theirs in turn.
WITH RECURSIVE grown (chain_id) AS (
    SELECT i.chain_id
    FROM unnest($1::uuid[]) AS i (chain_id)
    UNION
    SELECT b.blocker_id
    FROM grown
    CROSS JOIN LATERAL (
        SELECT b.blocker_id FROM {schema}.blocker AS b WHERE b.chain_id = grown.chain_id OFFSET 0
    ) AS b
)
SELECT chain_id::text FROM grown
