-- Read jobs by their keys, open or closed, as JobRecord has them.
SELECT json_group_array(json_array(
           job.chain_id, job.position, job.type, job.queue, coalesce(outcome.status, {open_status}),
           job.input, job.created_at, coalesce(open.priority, outcome.priority),
           coalesce(open.attempt, outcome.attempt), coalesce(open.crashes, outcome.crashes),
           coalesce(open.run_at, outcome.run_at), open.leased_by,
           open.leased_until, outcome.closed_at, outcome.verb, outcome.output, outcome.error_type, outcome.error_text,
           coalesce(open.blocked_by_count, 0), job.amended_input, open.expires_at, job.trace, job.meta))
  FROM json_each(:jobs) AS item
 CROSS JOIN main."{schema}_job" AS job ON job.chain_id = item.value ->> 0 AND job.position = item.value ->> 1
  LEFT JOIN main."{schema}_open_job" AS open ON open.chain_id = job.chain_id AND open.position = job.position
  LEFT JOIN main."{schema}_outcome" AS outcome
    ON outcome.chain_id = job.chain_id AND outcome.position = job.position AND outcome.generation = 0;
