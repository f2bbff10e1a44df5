-- Which of these open chains, whose rows are locked, somebody waits for.
SELECT o.chain_id::text
FROM unnest($1::uuid[]) AS i (chain_id)
CROSS JOIN LATERAL (
    SELECT o.chain_id FROM {schema}.open_job AS o WHERE o.chain_id = i.chain_id AND o.waited_on OFFSET 0
) AS o
