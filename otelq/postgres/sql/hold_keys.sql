-- Locks the dedup keys that chains will give back when they close, waiting for nobody, and gives the chains whose keys
-- somebody else has locked: a start that takes one over.
WITH mine AS MATERIALIZED (
    SELECT k.type, k.key, k.chain_id
    FROM unnest($1::uuid[]) AS closing (chain_id)
    CROSS JOIN LATERAL (
        SELECT j.type, j.dedup_key
        FROM {schema}.job AS j
        WHERE j.chain_id = closing.chain_id AND j.position = 0 AND j.dedup_key IS NOT NULL AND j.key_lasts IS NULL
        OFFSET 0
    ) AS j
    CROSS JOIN LATERAL (
        SELECT *
        FROM {schema}.dedup_key AS k
        WHERE k.type = j.type AND k.key = j.dedup_key AND k.chain_id = closing.chain_id
        OFFSET 0
    ) AS k
    ORDER BY k.type COLLATE pg_catalog."C", k.key COLLATE pg_catalog."C"
),
held AS MATERIALIZED (
    SELECT k.chain_id
    FROM mine
    CROSS JOIN LATERAL (
        SELECT k.chain_id
        FROM {schema}.dedup_key AS k
        WHERE k.type = mine.type AND k.key = mine.key
        FOR UPDATE SKIP LOCKED
    ) AS k
)
SELECT chain_id::text FROM mine WHERE NOT chain_id = ANY (SELECT chain_id FROM held)
