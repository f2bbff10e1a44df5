-- Locks chains, open or closed, against being deleted, redriven or waited for by others, in ascending order. A closed
-- chain has no hot row; its first job's row stands for it.
SELECT j.chain_id::text
FROM unnest($1::uuid[]) AS i (chain_id)
CROSS JOIN LATERAL (
    SELECT j.chain_id
    FROM {schema}.job AS j
    WHERE j.chain_id = i.chain_id AND j.position = 0
    FOR UPDATE
) AS j
