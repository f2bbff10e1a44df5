-- Releases the dedup keys that chains hold. A key that another chain has taken over meanwhile stays with that one.
WITH head AS MATERIALIZED (
    SELECT j.chain_id, j.type, j.dedup_key
    FROM unnest($1::uuid[]) AS closed (chain_id)
    CROSS JOIN LATERAL (
        SELECT j.chain_id, j.type, j.dedup_key
        FROM {schema}.job AS j
        WHERE j.chain_id = closed.chain_id AND j.position = 0 AND j.dedup_key IS NOT NULL
        OFFSET 0
    ) AS j
)
DELETE FROM {schema}.dedup_key AS k
USING head
WHERE k.type = head.type AND k.key = head.dedup_key AND k.chain_id = head.chain_id
    AND k.type = ANY (ARRAY(SELECT type FROM head)) AND k.key = ANY (ARRAY(SELECT dedup_key FROM head))
