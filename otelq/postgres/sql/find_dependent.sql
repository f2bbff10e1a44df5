-- A chain outside the set that waits for one of them, or was fed by one.
SELECT b.chain_id::text, b.blocker_id::text
FROM {schema}.blocker AS b
WHERE b.blocker_id = ANY ($1::uuid[]) AND b.chain_id <> ALL ($1::uuid[])
LIMIT 1
