-- A dedup key is held by one open chain of its type, and is free once that chain has ended.
SELECT d.chain_id, 0 AS position, 'holds the key ' || d.key || ' and is not open' AS detail
FROM dedup_key AS d
WHERE NOT EXISTS (SELECT 1 FROM open_job AS o WHERE o.chain_id = d.chain_id)
UNION ALL
SELECT d.chain_id, 0, 'holds the key ' || d.key || ' of another type, ' || d.type
FROM dedup_key AS d
JOIN job AS j ON j.chain_id = d.chain_id AND j.position = 0
WHERE j.type <> d.type
