-- Who holds dedup keys; in a statement after the one that failed to take them, which could not see the holder.
SELECT i.n::integer - 1 AS n, k.chain_id::text
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS i (type, key, n)
CROSS JOIN LATERAL (
    SELECT k.chain_id FROM {schema}.dedup_key AS k WHERE k.type = i.type AND k.key = i.key OFFSET 0
) AS k
