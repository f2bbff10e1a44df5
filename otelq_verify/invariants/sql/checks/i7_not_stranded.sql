-- When a blocker has ended, its dependents no longer wait for it, or that step is still pending, or their rule is to wait on.
SELECT b.chain_id, b.position, 'waits for ' || b.blocker_id || ', which is ' || e.status AS detail
FROM blocker AS b
JOIN open_job AS o ON o.chain_id = b.chain_id AND o.position = b.position
JOIN rule AS r ON r.chain_id = b.chain_id AND r.position = b.position
JOIN ended AS e ON e.chain_id = b.blocker_id
WHERE b.released_at IS NULL
    AND (e.status = 'completed' OR r.on_failure IS NULL OR r.on_failure <> 'wait')
    AND NOT EXISTS (SELECT 1 FROM open_job AS a WHERE a.chain_id = b.blocker_id)
    AND NOT EXISTS (SELECT 1 FROM pending AS p WHERE p.blocker_id = b.blocker_id)
