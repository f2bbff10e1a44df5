-- Read every job of the chains before they are deleted, as their transitions need them.
SELECT json_group_array(json_array(
           item.key, job.chain_id, job.position, job.type, job.queue, head.type,
           coalesce(open.attempt, outcome.attempt, 0),
           iif(open.chain_id IS NULL, outcome.status, {open_status}),
           job.created_at, head.created_at, job.trace, NULL))
  FROM json_each(:chains) AS item
 CROSS JOIN main."{schema}_job" AS job ON job.chain_id = item.value
 CROSS JOIN main."{schema}_job" AS head ON head.chain_id = item.value AND head.position = 0
  LEFT JOIN main."{schema}_open_job" AS open ON open.chain_id = job.chain_id AND open.position = job.position
  LEFT JOIN main."{schema}_outcome" AS outcome
    ON outcome.chain_id = job.chain_id AND outcome.position = job.position
   AND outcome.generation = 0;
