-- Gives back the dedup keys of chains that closed.
DELETE FROM {schema}.dedup_key AS k
USING unnest($1::uuid[]) AS closed (chain_id)
CROSS JOIN LATERAL (
    SELECT j.type, j.dedup_key
    FROM {schema}.job AS j
    WHERE j.chain_id = closed.chain_id AND j.position = 0
    OFFSET 0
) AS head
WHERE k.type = head.type AND k.key = head.dedup_key AND k.chain_id = closed.chain_id
