-- A dedup key is held by a chain of its type, under any of its names: by an open one, or by one that keeps its key when it closes.
SELECT d.chain_id, 0 AS position, 'holds the key ' || d.key || ' and is not open' AS detail
FROM dedup_key AS d
WHERE d.lasting = 0 AND NOT EXISTS (SELECT 1 FROM open_job AS o WHERE o.chain_id = d.chain_id)
UNION ALL
SELECT d.chain_id, 0, 'holds the key ' || d.key || ' and does not exist'
FROM dedup_key AS d
WHERE NOT EXISTS (SELECT 1 FROM job AS j WHERE j.chain_id = d.chain_id)
UNION ALL
SELECT d.chain_id, 0, 'holds the key ' || d.key || ' of another type, ' || d.type
FROM dedup_key AS d
JOIN job AS j ON j.chain_id = d.chain_id AND j.position = 0
WHERE j.type <> d.type AND d.is_alias = 0
