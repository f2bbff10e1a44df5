-- Takes the dedup keys that are free. Waits for transactions that are about to take or release one of them, and does
-- so in the order of the keys' bytes, so that two batches never deadlock.
INSERT INTO {schema}.dedup_key (type, key, chain_id)
SELECT i.type, i.key, i.chain_id
FROM unnest($1::text[], $2::text[], $3::uuid[]) AS i (type, key, chain_id)
ORDER BY i.type COLLATE pg_catalog."C", i.key COLLATE pg_catalog."C"
ON CONFLICT DO NOTHING
RETURNING type, key
