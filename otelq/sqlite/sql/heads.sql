-- The closed first jobs of chains.
SELECT json_group_array(json_array(
           chain_id, position, type, queue, status, input, created_at, priority, attempt, crashes, run_at, leased_by,
           leased_until, closed_at, output, error_type, error_text, blocked_by, trace, meta, chain_type))
  FROM (
    SELECT outcome.chain_id, outcome.position, outcome.type, job.queue, outcome.status, job.input, job.created_at,
           outcome.priority, outcome.attempt, outcome.crashes, outcome.run_at, NULL AS leased_by, NULL AS leased_until,
           outcome.closed_at, outcome.output, outcome.error_type, outcome.error_text, 0 AS blocked_by, job.trace,
           job.meta, head.type AS chain_type
      FROM json_each(:chains) AS item
     CROSS JOIN "{schema}_outcome" AS outcome ON outcome.chain_id = item.value AND outcome.position = 0 AND outcome.generation = 0
     CROSS JOIN "{schema}_job" AS job ON job.chain_id = outcome.chain_id AND job.position = outcome.position
     CROSS JOIN "{schema}_job" AS head ON head.chain_id = outcome.chain_id AND head.position = 0
  );
