-- Stores how many blockers jobs have by now, and the rule by which they wait.
UPDATE {schema}.job AS j
SET blockers = counted.number, until = counted.until, on_failure = counted.on_failure
FROM (
    SELECT i.*, given.number
    FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::text[]) AS i (chain_id, position, until, on_failure)
    CROSS JOIN LATERAL (
        SELECT count(*) AS number
        FROM {schema}.blocker AS b
        WHERE b.chain_id = i.chain_id AND b.position = i.position
    ) AS given
) AS counted
WHERE j.chain_id = counted.chain_id AND j.position = counted.position AND counted.number > 0
