-- A blocked job counts the chains that it still waits for.
SELECT o.chain_id, o.position, 'counts ' || o.blocked_by || ' blockers and awaits ' || count(b.blocker_id) AS detail
FROM open_job AS o
LEFT JOIN blocker AS b ON b.chain_id = o.chain_id AND b.position = o.position AND b.released_at IS NULL
GROUP BY o.chain_id, o.position, o.blocked_by
HAVING o.blocked_by <> count(b.blocker_id)
