-- Takes dedup keys from those who were seen to hold them, in order, and from nobody else.
WITH held AS MATERIALIZED (
    SELECT k.type, k.key, i.chain_id
    FROM unnest($1::text[], $2::text[], $3::uuid[], $4::uuid[]) AS i (type, key, holder_id, chain_id)
    CROSS JOIN LATERAL (
        SELECT k.type, k.key
        FROM {schema}.dedup_key AS k
        WHERE k.type = i.type AND k.key = i.key AND k.chain_id = i.holder_id
        FOR NO KEY UPDATE
    ) AS k
)
UPDATE {schema}.dedup_key AS k
SET chain_id = held.chain_id
FROM held
WHERE k.type = held.type AND k.key = held.key
    AND k.type = ANY (ARRAY(SELECT type FROM held)) AND k.key = ANY (ARRAY(SELECT key FROM held))
RETURNING k.chain_id::text
