-- Finds those of the open chains that others wait for. The rows are locked, so that the answer stays true until the
-- commit.
SELECT o.chain_id::text
FROM unnest($1::uuid[]) AS i (chain_id)
CROSS JOIN LATERAL (
    SELECT o.chain_id FROM {schema}.open_job AS o WHERE o.chain_id = i.chain_id AND o.waited_on OFFSET 0
) AS o
