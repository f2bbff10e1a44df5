-- Reads the blockers of the last jobs of chains, in the order given.
SELECT last.chain_id::text, b.blocker_id::text
FROM unnest($1::uuid[]) AS i (chain_id)
CROSS JOIN LATERAL (
    SELECT j.chain_id, j.position
    FROM {schema}.job AS j
    WHERE j.chain_id = i.chain_id
    ORDER BY j.position DESC
    LIMIT 1
) AS last
CROSS JOIN LATERAL (
    SELECT *
    FROM {schema}.blocker AS b
    WHERE b.chain_id = last.chain_id AND b.position = last.position
    OFFSET 0
) AS b
ORDER BY b.chain_id, b.ordinal
