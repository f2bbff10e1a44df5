-- The attempts of one job do not overlap: each began after the one before had ended, so none acted without its lease.
SELECT
    a.chain_id, a.position,
    'the attempt of ' || b.worker || ' began before that of ' || a.worker || ' had ended' AS detail
FROM tenure AS a
JOIN tenure AS b ON b.chain_id = a.chain_id AND b.position = a.position AND b.token <> a.token
WHERE (a.since < b.since OR (a.since = b.since AND a.token < b.token)) AND (a.until IS NULL OR a.until > b.since)
