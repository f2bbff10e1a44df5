-- A job stops waiting for a blocker only as its rule says, or when it closes itself.
-- One that is continued from outside is let go by an earlier statement of the same commit.
-- Those that waited more than once are not looked at, as nobody knows the rules of their earlier waits.
WITH met AS (
    SELECT b.chain_id, b.position, b.blocker_id, b.released_at, r.until
    FROM blocker AS b
    JOIN rule AS r ON r.chain_id = b.chain_id AND r.position = b.position
    JOIN outcome AS e ON e.chain_id = b.blocker_id
    WHERE e.status <> 'continued' AND e.closed_at <= b.released_at
        AND (e.status = 'completed' OR r.on_failure = 'ignore' OR (r.until = 'any' AND r.on_failure IS NULL))
)
SELECT b.chain_id, b.position, 'did not wait for its blocker ' || b.blocker_id || ' to end' AS detail
FROM blocker AS b
JOIN rule AS r ON r.chain_id = b.chain_id AND r.position = b.position
LEFT JOIN met AS m
    ON m.chain_id = b.chain_id AND m.position = b.position
    AND (m.blocker_id = b.blocker_id OR (r.until = 'any' AND m.released_at <= b.released_at))
LEFT JOIN outcome AS c
    ON c.chain_id = b.chain_id AND c.position = b.position
    AND (c.closed_at <= b.released_at OR c.verb = 'complete_externally')
LEFT JOIN attempt AS a ON a.chain_id = b.chain_id AND a.position = b.position AND a.verb = 'block'
WHERE b.released_at IS NOT NULL AND m.chain_id IS NULL AND c.chain_id IS NULL AND a.chain_id IS NULL
