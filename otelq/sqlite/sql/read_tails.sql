-- Read the last job of each chain, how it ended, and what a redrive needs. The status is NULL while the chain is open.
SELECT json_group_array(json_array(
           json_array(item.key, job.chain_id, job.position, job.type, job.queue, head.type, 0, outcome.status,
                      job.created_at, head.created_at, job.trace, outcome.trace),
           outcome.priority, outcome.until, outcome.on_failure, head.dedup_key, head.dedup_lasting,
           head.dedup_aliases))
  FROM json_each(:chains) AS item
 CROSS JOIN main."{schema}_job" AS head ON head.chain_id = item.value AND head.position = 0
 CROSS JOIN main."{schema}_job" AS job
    ON job.chain_id = item.value
   AND job.position = (SELECT max(position) FROM main."{schema}_job" AS tail WHERE tail.chain_id = item.value)
  LEFT JOIN main."{schema}_outcome" AS outcome
    ON outcome.chain_id = job.chain_id AND outcome.position = job.position AND outcome.generation = 0
   AND NOT EXISTS (SELECT 1 FROM main."{schema}_open_job" AS open WHERE open.chain_id = item.value);
