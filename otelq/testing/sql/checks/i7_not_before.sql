-- A job runs only after all its blockers have completed.
SELECT t.chain_id, t.position, 'ran before its blocker ' || b.blocker_id || ' had completed' AS detail
FROM tenure AS t
JOIN blocker AS b ON b.chain_id = t.chain_id AND b.position = t.position
LEFT JOIN ended AS e ON e.chain_id = b.blocker_id
WHERE e.status IS NULL OR e.status <> 'completed' OR e.closed_at > t.since
