-- Finds a chain outside the set that has, or had, one of the set as a blocker.
WITH deleted AS MATERIALIZED (
    SELECT i.chain_id FROM unnest($1::uuid[]) AS i (chain_id)
)
SELECT b.chain_id::text, b.blocker_id::text
FROM deleted
CROSS JOIN LATERAL (
    SELECT b.chain_id, b.blocker_id FROM {schema}.blocker AS b WHERE b.blocker_id = deleted.chain_id OFFSET 0
) AS b
WHERE NOT b.chain_id = ANY (SELECT chain_id FROM deleted)
LIMIT 1
