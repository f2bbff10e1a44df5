-- The chains that first jobs were started to wait for, in the order given.
SELECT b.chain_id::text, b.blocker_id::text
FROM unnest($1::uuid[]) AS i (chain_id)
CROSS JOIN LATERAL (
    SELECT * FROM {schema}.blocker AS b WHERE b.chain_id = i.chain_id AND b.position = 0 OFFSET 0
) AS b
ORDER BY b.chain_id, b.ordinal
