-- Stores that workers are alive, and removes those that are not. started_at is that of the first beat.
--
-- SKIP LOCKED: after an outage all workers of a fleet return at once, and each finds the rows of the others too old; so
-- they do not wait for each other in circles. A beat that is lost in a crash of the server is made up for by the next
-- one, so it need not wait for the disk.
WITH async_commit AS MATERIALIZED (
    SELECT set_config('synchronous_commit', 'off', true)
),
gone AS MATERIALIZED (
    SELECT id
    FROM {schema}.worker
    WHERE id <> ALL ($2::text[])
        -- A row from the future was written by another clock: without this it would never grow old.
        AND (
            seen_at < ({now} - ($13::float8 * interval '1 second'))
            OR seen_at > ({now} + ($13::float8 * interval '1 second'))
        )
    FOR UPDATE SKIP LOCKED
),
removed AS (
    DELETE FROM {schema}.worker
    WHERE id = ANY (ARRAY(SELECT id FROM gone))
)
INSERT INTO {schema}.worker
    (id, name, host, pid, version, queues, types, refused, slots, running, started_at, seen_at)
SELECT
    i.id, i.name, i.host, i.pid, i.version, i.queues::jsonb, i.types::jsonb, i.refused::jsonb, i.slots, i.running,
    {now} - (i.age * interval '1 second'), {now}
FROM async_commit, unnest(
    $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[], $10::integer[],
    $11::integer[], $12::float8[]
) AS i (id, name, host, pid, version, queues, types, refused, slots, running, age)
ON CONFLICT (id) DO UPDATE
SET name = excluded.name, host = excluded.host, pid = excluded.pid, version = excluded.version,
    queues = excluded.queues, types = excluded.types, refused = excluded.refused, slots = excluded.slots,
    running = excluded.running, seen_at = excluded.seen_at
