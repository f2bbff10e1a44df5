-- A job has a successor if and only if it is continued, and both come from one commit.
SELECT c.chain_id, c.position, 'continued, and has no successor' AS detail
FROM closed AS c
WHERE c.status = 'continued'
    AND NOT EXISTS (SELECT 1 FROM job AS n WHERE n.chain_id = c.chain_id AND n.position = c.position + 1)
UNION ALL
SELECT n.chain_id, n.position, 'follows a job that is ' || coalesce(c.status, 'not closed')
FROM job AS n
LEFT JOIN closed AS c ON c.chain_id = n.chain_id AND c.position = n.position - 1
WHERE n.position > 0 AND (c.status IS NULL OR c.status <> 'continued')
UNION ALL
SELECT n.chain_id, n.position, 'was not created when its predecessor was closed'
FROM job AS n
JOIN closed AS c ON c.chain_id = n.chain_id AND c.position = n.position - 1 AND c.status = 'continued'
WHERE n.created_at <> c.closed_at
