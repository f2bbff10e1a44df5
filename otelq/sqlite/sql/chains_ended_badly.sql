-- Tails of chains that failed, or that were cancelled: the list that has an index of its own, which the literals name.
SELECT json_group_array(json_array(
           chain_id, position, type, queue, status, input, created_at, priority, attempt, crashes, run_at, leased_by,
           leased_until, closed_at, output, error_type, error_text, blocked_by, trace, meta, chain_type))
  FROM (
    SELECT outcome.chain_id, outcome.position, outcome.type, job.queue, outcome.status, job.input, job.created_at,
           outcome.priority, outcome.attempt, outcome.crashes, outcome.run_at, NULL AS leased_by, NULL AS leased_until,
           outcome.closed_at, outcome.output, outcome.error_type, outcome.error_text, 0 AS blocked_by, job.trace,
           job.meta, head.type AS chain_type
      FROM "{schema}_outcome" AS outcome INDEXED BY "{schema}_ended_badly"
     CROSS JOIN "{schema}_job" AS job ON job.chain_id = outcome.chain_id AND job.position = outcome.position
     CROSS JOIN "{schema}_job" AS head ON head.chain_id = outcome.chain_id AND head.position = 0
     WHERE outcome.generation = 0 AND outcome.status = :status AND outcome.status IN ('failed', 'cancelled')
       AND outcome.chain_id BETWEEN :low AND :high
       AND NOT (outcome.chain_id = :high AND outcome.position <= :position)
       AND (:types IS NULL OR head.type IN (SELECT value FROM json_each(:types)))
     ORDER BY outcome.chain_id DESC, outcome.position
     LIMIT :most
  );
