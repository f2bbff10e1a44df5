-- Starts chains that have blockers, block others of the same batch, or hold a dedup key. A chain whose blocker failed
-- already fails in the same commit, and never has a hot row that could be claimed.
WITH item AS MATERIALIZED (
    SELECT
        i.*,
        greatest({now}, coalesce(i.at, {now} + (i.delay * interval '1 second'))) AS run_at
    FROM unnest(
        $2::uuid[], $3::text[], $4::text[], $5::text[], $6::integer[], $7::timestamptz[], $8::float8[], $9::text[],
        $10::text[], $11::float8[], $12::text[], $13::boolean[], $14::integer[], $15::text[], $16::text[],
        $17::integer[], $18::boolean[], $19::text[], $20::text[], $21::text[]
    ) WITH ORDINALITY AS i (
        chain_id, type, queue, input, priority, at, delay, trace,
        meta, expires, dedup_key, key_lasts, blockers, until, on_failure,
        blocked_by, waited_on, error_type, error_text, key_aliases, n
    )
),
created AS (
    INSERT INTO {schema}.job
        (chain_id, position, type, queue, input, priority, created_at, run_at, trace, meta, dedup_key, key_lasts,
         blockers, until, on_failure, born_blocked, key_aliases)
    SELECT
        chain_id, 0, type, queue, input::jsonb, priority, {now}, run_at, trace, meta::jsonb, dedup_key, key_lasts,
        blockers, until, on_failure, CASE WHEN blocked_by > 0 OR error_type IS NOT NULL THEN true END,
        CASE WHEN key_aliases IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(key_aliases::jsonb)) END
    FROM item
),
opened AS (
    INSERT INTO {schema}.open_job
        (chain_id, position, type, priority, run_at, blocked_by, waited_on, keyed, expires_at)
    SELECT
        chain_id, 0, type, priority, run_at, blocked_by, waited_on, dedup_key IS NOT NULL AND key_lasts IS NULL,
        {now} + (expires * interval '1 second')
    FROM item
    WHERE error_type IS NULL
),
failed AS (
    INSERT INTO {schema}.outcome
        (chain_id, position, type, priority, run_at, attempt, crashes, closed_at, status, verb, error_type, error_text)
    SELECT chain_id, 0, type, priority, run_at, 0, 0, {now}, 'failed', 'fail_by_blocker', error_type, error_text
    FROM item
    WHERE error_type IS NOT NULL
)
SELECT {now} AS at, ARRAY(SELECT run_at FROM item ORDER BY n) AS run_at
