-- Stores the blockers of new jobs. released_at is null for those that are awaited.
INSERT INTO {schema}.blocker (chain_id, position, blocker_id, ordinal, released_at, patient)
SELECT i.chain_id, i.position, i.blocker_id, i.ordinal, i.released_at, i.patient
FROM unnest($1::uuid[], $2::integer[], $3::uuid[], $4::integer[], $5::timestamptz[], $6::boolean[])
    AS i (chain_id, position, blocker_id, ordinal, released_at, patient)
