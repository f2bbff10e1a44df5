-- Reads the holders of dedup keys. This follows the statement that failed to take them, whose older snapshot could not
-- see a holder that committed meanwhile.
SELECT
    i.n::integer - 1 AS n, k.chain_id::text, j.created_at, {now} AS at,
    EXISTS (SELECT FROM {schema}.open_job AS o WHERE o.chain_id = k.chain_id) AS is_open
FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS i (type, key, n)
CROSS JOIN LATERAL (
    SELECT k.chain_id FROM {schema}.dedup_key AS k WHERE k.type = i.type AND k.key = i.key OFFSET 0
) AS k
CROSS JOIN LATERAL (
    SELECT j.created_at FROM {schema}.job AS j WHERE j.chain_id = k.chain_id AND j.position = 0 OFFSET 0
) AS j
