-- Notes which chains jobs wait for; those that had closed before count as released when the job was created.
INSERT INTO {schema}.blocker (chain_id, position, blocker_id, ordinal, released_at)
SELECT i.chain_id, 0, i.blocker_id, i.ordinal, i.released_at
FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::timestamptz[])
    AS i (chain_id, blocker_id, ordinal, released_at)
