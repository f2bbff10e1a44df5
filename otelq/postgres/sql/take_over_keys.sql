-- Takes dedup keys over from the chains that were seen to hold them, in the order given. A key that has another holder
-- by now is left alone: the start decided on the terms of the holder that it saw.
WITH locked AS MATERIALIZED (
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
SET chain_id = locked.chain_id
FROM locked
WHERE k.type = locked.type AND k.key = locked.key
    AND k.type = ANY (ARRAY(SELECT type FROM locked)) AND k.key = ANY (ARRAY(SELECT key FROM locked))
RETURNING k.type, k.key
