-- An open chain has exactly one open job, its tail; a chain without one has ended.
WITH tail AS (
    SELECT chain_id, max(position) AS position FROM job GROUP BY chain_id
)
SELECT o.chain_id, max(o.position) AS position, count(*) || ' open jobs' AS detail
FROM open_job AS o
GROUP BY o.chain_id
HAVING count(*) > 1
UNION ALL
SELECT o.chain_id, o.position, 'the open job is not the last, ' || t.position
FROM open_job AS o
JOIN tail AS t ON t.chain_id = o.chain_id AND t.position <> o.position
UNION ALL
SELECT o.chain_id, o.position, 'open, and was never requested'
FROM open_job AS o
WHERE NOT EXISTS (SELECT 1 FROM job AS j WHERE j.chain_id = o.chain_id)
UNION ALL
SELECT t.chain_id, t.position, 'neither open nor ended'
FROM tail AS t
WHERE NOT EXISTS (SELECT 1 FROM open_job AS o WHERE o.chain_id = t.chain_id)
    AND NOT EXISTS (
        SELECT 1 FROM closed AS c
        WHERE c.chain_id = t.chain_id AND c.position = t.position AND c.status <> 'continued'
    )
