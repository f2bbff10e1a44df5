-- Locks, in ascending order, a bounded number of the jobs that still wait for closed chains, and gives the edges
-- between them; and those of them that hold keys and may fail. Where one that somebody else has locked is passed over, two blockers that close in two open
-- transactions never wait for each other. A patient edge is passed over if its blocker ended badly. No blocker has
-- more of its dependents looked at than may be let go.
WITH closed AS MATERIALIZED (
    SELECT i.chain_id, c.status
    FROM unnest($1::uuid[]) AS i (chain_id)
    CROSS JOIN LATERAL (
        SELECT c.status
        FROM {schema}.outcome AS c
        WHERE c.chain_id = i.chain_id AND c.generation = 0
        ORDER BY c.position DESC
        LIMIT 1
    ) AS c
    WHERE c.status <> 'continued'
),
edge AS MATERIALIZED (
    SELECT b.chain_id, b.position, b.blocker_id, closed.status
    FROM closed
    CROSS JOIN (VALUES (false), (true)) AS edges (patient)
    CROSS JOIN LATERAL (
        SELECT b.chain_id, b.position, b.blocker_id
        FROM {schema}.blocker AS b
        WHERE b.blocker_id = closed.chain_id AND b.patient = edges.patient AND b.released_at IS NULL
        ORDER BY b.chain_id
        LIMIT $2::integer + 1
    ) AS b
    WHERE closed.status = 'completed' OR NOT edges.patient
),
waiting AS MATERIALIZED (
    SELECT DISTINCT chain_id
    FROM edge
    ORDER BY chain_id
    LIMIT $2::integer + 1
),
held AS MATERIALIZED (
    SELECT o.chain_id, o.keyed
    FROM (SELECT chain_id FROM waiting ORDER BY chain_id LIMIT $2::integer) AS w
    CROSS JOIN LATERAL (
        SELECT o.chain_id, o.keyed FROM {schema}.open_job AS o WHERE o.chain_id = w.chain_id {lock}
    ) AS o
),
taken AS MATERIALIZED (
    SELECT edge.*, held.keyed FROM edge JOIN held ON held.chain_id = edge.chain_id
)
SELECT
    ARRAY(SELECT DISTINCT chain_id::text FROM taken WHERE keyed AND status <> 'completed') AS doomed,
    ARRAY(SELECT chain_id::text FROM taken) AS chain_ids,
    ARRAY(SELECT position FROM taken) AS positions,
    ARRAY(SELECT blocker_id::text FROM taken) AS blocker_ids,
    (SELECT count(*) FROM held) = (SELECT count(*) FROM waiting) AS is_done
