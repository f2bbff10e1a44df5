-- Reads the blockers of jobs, in the order given.
SELECT b.chain_id::text, b.position, b.blocker_id::text
FROM unnest($1::uuid[], $2::integer[]) AS i (chain_id, position)
CROSS JOIN LATERAL (
    SELECT * FROM {schema}.blocker AS b WHERE b.chain_id = i.chain_id AND b.position = i.position OFFSET 0
) AS b
ORDER BY b.chain_id, b.position, b.ordinal
