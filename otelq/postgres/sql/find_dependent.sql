-- A chain outside the set that waits for one of them, or was fed by one.
WITH going AS MATERIALIZED (
    SELECT i.chain_id FROM unnest($1::uuid[]) AS i (chain_id)
)
SELECT b.chain_id::text, b.blocker_id::text
FROM going
CROSS JOIN LATERAL (
    SELECT b.chain_id, b.blocker_id FROM {schema}.blocker AS b WHERE b.blocker_id = going.chain_id OFFSET 0
) AS b
WHERE NOT b.chain_id = ANY (SELECT chain_id FROM going)
LIMIT 1
