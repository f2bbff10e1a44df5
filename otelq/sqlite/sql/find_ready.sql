-- Find the jobs that a claim takes: one probe of the index for each (type, priority in use). The cost depends neither
-- on history, nor on scheduled jobs of a better priority, nor on other types.
-- SQLite takes no column as a LIMIT, so each probe reads up to the largest limit, and the rank cuts it.
WITH RECURSIVE
request AS MATERIALIZED (
    SELECT key AS request_index, value ->> 0 AS type, value ->> 1 AS quota FROM json_each(:requests)
),
level (request_index, type, quota, priority) AS (
    SELECT request_index, type, quota,
           (SELECT min(open.priority) FROM main."{schema}_open_job" AS open
             WHERE open.type = request.type
               AND {is_ready})
      FROM request
    UNION ALL
    SELECT request_index, type, quota,
           (SELECT min(open.priority) FROM main."{schema}_open_job" AS open
             WHERE open.type = level.type AND open.priority > level.priority
               AND {is_ready})
      FROM level
     WHERE level.priority IS NOT NULL
),
candidate AS (
    SELECT level.request_index, level.quota, probe.value AS chain_id,
           row_number() OVER (PARTITION BY level.request_index ORDER BY level.priority, probe.key) AS rank
      FROM level, json_each((
               SELECT json_group_array(chain_id)
                 FROM (SELECT chain_id FROM main."{schema}_open_job" AS open
                        WHERE open.type = level.type AND open.priority = level.priority AND open.run_at <= :now
                          AND {is_ready}
                          AND (open.expires_at IS NULL OR open.expires_at > :now OR open.attempt > 0)
                        ORDER BY open.run_at, open.chain_id
                        LIMIT :limit)
           )) AS probe
     WHERE level.priority IS NOT NULL
)
SELECT json_group_array(json_array(
           candidate.request_index, open.chain_id, open.position, open.type, open.queue, head.type,
           coalesce(job.amended_input, job.input), open.attempt, open.crashes, open.priority, open.run_at,
           job.created_at, head.created_at,
           (SELECT coalesce(max(blocker.ordinal) + 1, 0) FROM main."{schema}_blocker" AS blocker
             WHERE blocker.chain_id = open.chain_id AND blocker.position = open.position),
           job.trace, open.last_trace, job.meta))
  FROM candidate
  CROSS JOIN main."{schema}_open_job" AS open ON open.chain_id = candidate.chain_id
  CROSS JOIN main."{schema}_job" AS job ON job.chain_id = open.chain_id AND job.position = open.position
  CROSS JOIN main."{schema}_job" AS head ON head.chain_id = open.chain_id AND head.position = 0
 WHERE candidate.rank <= candidate.quota;
