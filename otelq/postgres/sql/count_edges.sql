-- Notes how many chains jobs were given to wait for by now, and by which rule they wait.
UPDATE {schema}.job AS j
SET blockers = edge.number, until = edge.until, on_failure = edge.on_failure
FROM (
    SELECT i.*, given.number
    FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::text[]) AS i (chain_id, position, until, on_failure)
    CROSS JOIN LATERAL (
        SELECT count(*) AS number
        FROM {schema}.blocker AS b
        WHERE b.chain_id = i.chain_id AND b.position = i.position
    ) AS given
) AS edge
WHERE j.chain_id = edge.chain_id AND j.position = edge.position AND edge.number > 0
