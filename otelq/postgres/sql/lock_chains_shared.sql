-- Locks chains, in ascending order, against being deleted or redriven until the commit. The lock is shared: several
-- starts may name one closed chain as their blocker at the same time.
SELECT j.chain_id::text
FROM unnest($1::uuid[]) AS i (chain_id)
CROSS JOIN LATERAL (
    SELECT j.chain_id
    FROM {schema}.job AS j
    WHERE j.chain_id = i.chain_id AND j.position = 0
    FOR KEY SHARE {skip}
) AS j
