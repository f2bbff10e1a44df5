-- Checks if the effects of transitions can be seen, after a commit whose reply was lost; null for verbs that leave no
-- trace. A row with the time of a transition proves it, even if others followed.
SELECT
    CASE
        WHEN i.target IS NULL THEN j.chain_id IS NULL
        WHEN i.verb = 'amend' THEN NULL
        WHEN j.chain_id IS NULL THEN false
        WHEN i.verb = 'create' THEN j.created_at = i.at
        WHEN i.target = ANY (ARRAY['completed', 'continued', 'failed', 'cancelled']) THEN EXISTS (
            SELECT
            FROM {schema}.outcome AS c
            WHERE c.chain_id = i.chain_id AND c.position = i.position AND c.status = i.target AND c.closed_at = i.at
            OFFSET 0
        )
        WHEN i.verb = 'redrive' THEN EXISTS (
            SELECT
            FROM {schema}.outcome AS c
            WHERE c.chain_id = i.chain_id AND c.position = i.position AND c.redriven_at = i.at
            OFFSET 0
        )
        WHEN i.verb = 'take_over' THEN EXISTS (
            SELECT
            FROM {schema}.attempt AS a
            WHERE a.chain_id = i.chain_id AND a.position = i.position AND a.verb = i.verb AND a.ended_at = i.at
            OFFSET 0
        )
        WHEN i.verb = 'trigger' THEN NOT EXISTS (
            SELECT
            FROM {schema}.open_job AS o
            WHERE o.chain_id = i.chain_id AND o.position = i.position AND o.attempt <= i.attempt AND o.run_at > i.at
            OFFSET 0
        )
        ELSE true
    END AS is_there
FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::text[], $5::timestamptz[], $6::integer[])
    WITH ORDINALITY AS i (chain_id, position, verb, target, at, attempt, n)
LEFT JOIN LATERAL (
    SELECT j.chain_id, j.created_at FROM {schema}.job AS j WHERE j.chain_id = i.chain_id AND j.position = i.position OFFSET 0
) AS j ON true
ORDER BY i.n
