-- Reads jobs by their keys, open or closed. Position -1 means the last job of a chain, as it is now.
SELECT
    j.chain_id::text, j.position, j.type, j.queue,
    coalesce(c.status, {status}) AS status,
    j.input::text, j.created_at, coalesce(c.priority, o.priority) AS priority,
    coalesce(c.attempt, o.attempt) AS attempt, coalesce(c.crashes, o.crashes) AS crashes,
    coalesce(c.run_at, o.run_at) AS run_at, o.leased_by, o.leased_until, c.closed_at, c.verb AS closed_by, c.output::text, c.error_type,
    c.error_text, coalesce(o.blocked_by, 0) AS blocked_by, j.amended_input::text, o.expires_at, j.trace, j.meta::text,
    coalesce(j.chain_type, j.type) AS chain_type
FROM (
    SELECT
        k.chain_id,
        CASE
            WHEN k.position >= 0 THEN k.position
            ELSE coalesce(
                (SELECT o.position FROM {schema}.open_job AS o WHERE o.chain_id = k.chain_id),
                (
                    SELECT c.position
                    FROM {schema}.outcome AS c
                    WHERE c.chain_id = k.chain_id AND c.generation = 0
                    ORDER BY c.position DESC
                    LIMIT 1
                )
            )
        END AS position
    FROM unnest($1::uuid[], $2::integer[]) AS k (chain_id, position)
    OFFSET 0
) AS i
CROSS JOIN LATERAL (
    SELECT * FROM {schema}.job AS j WHERE j.chain_id = i.chain_id AND j.position = i.position OFFSET 0
) AS j
LEFT JOIN LATERAL (
    SELECT *
    FROM {schema}.outcome AS c
    WHERE c.chain_id = i.chain_id AND c.position = i.position AND c.generation = 0
    OFFSET 0
) AS c ON true
LEFT JOIN LATERAL (
    SELECT * FROM {schema}.open_job AS o WHERE o.chain_id = i.chain_id AND o.position = i.position OFFSET 0
) AS o ON true
