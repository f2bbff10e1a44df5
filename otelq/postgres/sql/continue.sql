-- Closes jobs by continuing their chains: the one hot row of a chain moves on to the successor in place.
--
-- A successor that is due at once is leased to the worker that asks for it, which saves a claim. It is not leased if
-- another job of its type is ahead of it, or a chain of quick continuations would starve the others; a job that became
-- ready at the very same moment counts as ahead.
WITH item AS MATERIALIZED (
    SELECT
        i.*,
        greatest({now}, coalesce(i.at, {now} + (i.delay * interval '1 second'))) AS run_at
    FROM unnest(
        $3::uuid[], $4::integer[], $5::bigint[], $6::text[],
        $7::text[], $8::text[], $9::text[], $10::integer[], $11::timestamptz[], $12::float8[], $13::text[],
        $14::text[], $15::text[], $16::timestamptz[], $17::bigint[], $18::float8[], $19::float8[]
    ) WITH ORDINALITY AS i (
        chain_id, position, token, trace,
        next_type, next_queue, next_input, next_priority, at, delay, next_trace,
        next_meta, chain_type, chain_created_at, claim_token, claim_lease, claim_timeout, n
    )
),
locked AS MATERIALIZED (
    SELECT
        i.*,
        coalesce(i.next_priority, o.priority) AS priority,
        o.type, o.priority AS old_priority, o.run_at AS old_run_at, o.attempt, o.crashes, o.claimed_at, o.leased_by
    FROM item AS i
    CROSS JOIN LATERAL (
        SELECT o.*
        FROM {schema}.open_job AS o
        WHERE o.chain_id = i.chain_id AND o.position = i.position
            AND coalesce(o.token = i.token, o.token IS NULL AND i.token IS NULL)
        {lock}
    ) AS o
),
ahead AS MATERIALIZED (
    SELECT wanted.type, wanted.priority
    FROM (
        SELECT DISTINCT next_type AS type, priority
        FROM locked
        WHERE claim_token IS NOT NULL AND run_at <= {now}
    ) AS wanted
    WHERE EXISTS (
        WITH RECURSIVE level (priority) AS (
            {next_priority}
            WHERE level.priority < wanted.priority
        )
        SELECT
        FROM level
        CROSS JOIN LATERAL (
            SELECT
            FROM {schema}.open_job AS o
            WHERE o.type = wanted.type AND o.priority = level.priority AND o.run_at <= {now}
                AND o.token IS NULL AND o.blocked_by = 0 AND o.crashes = 0
                AND (o.expires_at IS NULL OR o.attempt > 0 OR o.expires_at > {now})
            LIMIT 1
        ) AS due
        WHERE level.priority <= wanted.priority
    )
    OR EXISTS (
        SELECT
        FROM {schema}.open_job AS o
        WHERE o.type = wanted.type AND o.priority <= wanted.priority AND o.run_at <= {now}
            AND o.token IS NULL AND o.blocked_by = 0 AND o.crashes > 0
    )
),
successor AS MATERIALIZED (
    SELECT
        h.*,
        h.claim_token IS NOT NULL AND h.run_at <= {now} AND NOT EXISTS (
            SELECT FROM ahead WHERE ahead.type = h.next_type AND ahead.priority = h.priority
        ) AS is_claimed,
        {now} + (h.claim_lease * interval '1 second') AS leased_until,
        {now} + (h.claim_timeout * interval '1 second') AS deadline
    FROM locked AS h
),
closed AS (
    INSERT INTO {schema}.outcome
        (chain_id, position, type, priority, run_at, attempt, crashes, token, claimed_at, worker, trace, closed_at,
         status, verb)
    SELECT
        chain_id, position, type, old_priority, old_run_at, attempt, crashes, token, claimed_at,
        leased_by, trace, {now}, 'continued', $2::text
    FROM locked
),
created AS (
    INSERT INTO {schema}.job
        (chain_id, position, type, queue, input, priority, created_at, run_at, trace, meta, chain_type,
         chain_created_at)
    SELECT
        chain_id, position + 1, next_type, next_queue, next_input::jsonb, priority, {now}, run_at, next_trace,
        next_meta::jsonb, chain_type, chain_created_at
    FROM locked
),
moved AS (
    UPDATE {schema}.open_job AS o
    SET position = s.position + 1, type = s.next_type, priority = s.priority, run_at = s.run_at,
        attempt = s.is_claimed::integer, crashes = 0, blocked_by = 0, last_trace = NULL, expires_at = NULL,
        token = CASE WHEN s.is_claimed THEN s.claim_token END,
        leased_by = CASE WHEN s.is_claimed THEN o.leased_by END,
        claimed_at = CASE WHEN s.is_claimed THEN {now} END,
        leased_until = CASE WHEN s.is_claimed THEN least(s.leased_until, s.deadline) END,
        deadline = CASE WHEN s.is_claimed THEN s.deadline END
    FROM successor AS s
    WHERE o.chain_id = s.chain_id AND o.chain_id = ANY (ARRAY(SELECT chain_id FROM successor))
)
SELECT
    s.n::integer - 1 AS n, {now} AS at, s.run_at, s.priority, s.is_claimed, least(s.leased_until, s.deadline) AS leased_until
FROM successor AS s
