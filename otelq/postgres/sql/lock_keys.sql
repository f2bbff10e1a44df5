-- Locks the dedup keys that chains release when they close, without waiting. Returns the chains whose keys another
-- transaction has locked: a start that takes one over. Ordered by the bytes of the keys, as in take_keys.
WITH own AS MATERIALIZED (
    SELECT k.type, k.key, k.chain_id
    FROM unnest($1::uuid[]) AS closing (chain_id)
    CROSS JOIN LATERAL (
        SELECT j.type, j.dedup_key, j.key_aliases
        FROM {schema}.job AS j
        WHERE j.chain_id = closing.chain_id AND j.position = 0 AND j.dedup_key IS NOT NULL AND j.key_lasts IS NULL
        OFFSET 0
    ) AS head
    CROSS JOIN LATERAL (
        SELECT head.type UNION ALL SELECT unnest(head.key_aliases)
    ) AS n (type)
    CROSS JOIN LATERAL (
        SELECT *
        FROM {schema}.dedup_key AS k
        WHERE k.type = n.type AND k.key = head.dedup_key AND k.chain_id = closing.chain_id
        OFFSET 0
    ) AS k
    ORDER BY k.type COLLATE pg_catalog."C", k.key COLLATE pg_catalog."C"
),
locked AS MATERIALIZED (
    SELECT k.type, k.key
    FROM own
    CROSS JOIN LATERAL (
        SELECT k.type, k.key
        FROM {schema}.dedup_key AS k
        WHERE k.type = own.type AND k.key = own.key
        FOR UPDATE SKIP LOCKED
    ) AS k
)
SELECT DISTINCT own.chain_id::text AS chain_id
FROM own
WHERE NOT EXISTS (SELECT FROM locked WHERE locked.type = own.type AND locked.key = own.key)
