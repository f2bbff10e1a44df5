-- Tails of chains that are open, from a key on.
SELECT json_group_array(json_array(
           chain_id, position, type, queue, status, input, created_at, priority, attempt, crashes, run_at, leased_by,
           leased_until, closed_at, output, error_type, error_text, blocked_by, trace, meta, chain_type))
  FROM (
    SELECT open.chain_id, open.position, open.type, open.queue,
           CASE
               WHEN open.blocked_by_count > 0 THEN 'blocked'
               WHEN open.token IS NOT NULL THEN 'running'
               WHEN open.run_at > :now THEN 'scheduled'
               ELSE 'ready'
           END AS status,
           job.input, job.created_at, open.priority, open.attempt, open.crashes, open.run_at, open.leased_by,
           open.leased_until, NULL AS closed_at, NULL AS output, NULL AS error_type, NULL AS error_text,
           open.blocked_by_count AS blocked_by, job.trace, job.meta, head.type AS chain_type
      FROM "{schema}_open_job" AS open
     CROSS JOIN "{schema}_job" AS job ON job.chain_id = open.chain_id AND job.position = open.position
     CROSS JOIN "{schema}_job" AS head ON head.chain_id = open.chain_id AND head.position = 0
     WHERE open.chain_id BETWEEN :low AND :high
       AND NOT (open.chain_id = :high AND open.position <= :position)
       AND (:types IS NULL OR head.type IN (SELECT value FROM json_each(:types)))
       AND status IN (SELECT value FROM json_each(:statuses))
     ORDER BY open.chain_id DESC
     LIMIT :most
  );
