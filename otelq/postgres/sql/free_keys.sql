-- Releases the dedup keys that chains hold, under each name of their types. A key that another chain has taken over
-- meanwhile stays with that one.
WITH own AS MATERIALIZED (
    SELECT head.chain_id, n.type, head.dedup_key
    FROM unnest($1::uuid[]) AS closed (chain_id)
    CROSS JOIN LATERAL (
        SELECT j.chain_id, j.type, j.dedup_key, j.key_aliases
        FROM {schema}.job AS j
        WHERE j.chain_id = closed.chain_id AND j.position = 0 AND j.dedup_key IS NOT NULL
        OFFSET 0
    ) AS head
    CROSS JOIN LATERAL (
        SELECT head.type UNION ALL SELECT unnest(head.key_aliases)
    ) AS n (type)
)
DELETE FROM {schema}.dedup_key AS k
USING own
WHERE k.type = own.type AND k.key = own.dedup_key AND k.chain_id = own.chain_id
    AND k.type = ANY (ARRAY(SELECT type FROM own)) AND k.key = ANY (ARRAY(SELECT dedup_key FROM own))
