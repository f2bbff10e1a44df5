-- Stores blockers of jobs that may have some already: the row of a known blocker is used again, others are appended
-- after the last ordinal. The rows of the jobs are locked, so that no other transaction takes the same ordinal.
WITH item AS MATERIALIZED (
    SELECT *
    FROM unnest($1::uuid[], $2::integer[], $3::uuid[], $4::integer[], $5::timestamptz[], $6::boolean[])
        AS i (chain_id, position, blocker_id, ordinal, released_at, patient)
),
given AS MATERIALIZED (
    SELECT job.chain_id, job.position, last.ordinal
    FROM (SELECT DISTINCT chain_id, position FROM item) AS job
    CROSS JOIN LATERAL (
        SELECT coalesce(max(b.ordinal) + 1, 0) AS ordinal
        FROM {schema}.blocker AS b
        WHERE b.chain_id = job.chain_id AND b.position = job.position
    ) AS last
)
INSERT INTO {schema}.blocker AS old (chain_id, position, blocker_id, ordinal, released_at, patient)
SELECT i.chain_id, i.position, i.blocker_id, given.ordinal + i.ordinal, i.released_at, i.patient
FROM item AS i
JOIN given ON given.chain_id = i.chain_id AND given.position = i.position
ON CONFLICT (chain_id, position, blocker_id)
    DO UPDATE SET released_at = excluded.released_at, patient = excluded.patient
