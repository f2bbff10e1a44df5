-- Find the next suspect (a job whose lease ran out before) of the requested types. One at a time, because it may kill
-- this process as it killed others. A partial index of its own keeps suspects out of the way of find_ready.
WITH RECURSIVE
request AS MATERIALIZED (
    SELECT key AS request_index, value ->> 0 AS type FROM json_each(:requests) WHERE value ->> 1 > 0
),
level (request_index, type, priority) AS (
    SELECT request_index, type,
           (SELECT min(open.priority) FROM main."{schema}_open_job" AS open
             WHERE open.type = request.type
               AND {is_suspect})
      FROM request
    UNION ALL
    SELECT request_index, type,
           (SELECT min(open.priority) FROM main."{schema}_open_job" AS open
             WHERE open.type = level.type AND open.priority > level.priority
               AND {is_suspect})
      FROM level
     WHERE level.priority IS NOT NULL
),
candidate AS (
    SELECT level.request_index,
           (SELECT open.chain_id FROM main."{schema}_open_job" AS open
             WHERE open.type = level.type AND open.priority = level.priority AND open.run_at <= :now
               AND {is_suspect}
             ORDER BY open.run_at, open.chain_id
             LIMIT 1) AS chain_id
      FROM level
     WHERE level.priority IS NOT NULL
)
SELECT json_group_array(json_array(
           request_index, chain_id, position, type, queue, chain_type, input, attempt, crashes, priority, run_at,
           created_at, chain_created_at, blockers, trace, last_trace, meta))
  FROM (
    SELECT candidate.request_index, open.*, head.type AS chain_type, coalesce(job.amended_input, job.input) AS input,
           job.created_at, head.created_at AS chain_created_at, job.trace, job.meta,
           (SELECT coalesce(max(blocker.ordinal) + 1, 0) FROM main."{schema}_blocker" AS blocker
             WHERE blocker.chain_id = open.chain_id AND blocker.position = open.position) AS blockers
      FROM candidate
      CROSS JOIN main."{schema}_open_job" AS open ON open.chain_id = candidate.chain_id
      CROSS JOIN main."{schema}_job" AS job ON job.chain_id = open.chain_id AND job.position = open.position
      CROSS JOIN main."{schema}_job" AS head ON head.chain_id = open.chain_id AND head.position = 0
     ORDER BY open.priority, open.run_at, open.chain_id
     LIMIT 1
  );
