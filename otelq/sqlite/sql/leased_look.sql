-- The jobs that a claim leased, by its token.
SELECT json_group_array(json_array(
           0, open.chain_id, open.position, open.type, open.queue, open.priority, open.run_at, open.attempt,
           open.crashes, open.blocked_by_count, open.waited_on, open.token, open.leased_by, open.last_trace,
           job.created_at, job.trace, head.type, head.created_at,
           EXISTS (SELECT 1 FROM "{schema}_dedup_key" AS dedup WHERE dedup.chain_id = open.chain_id)))
  FROM "{schema}_open_job" AS open INDEXED BY "{schema}_leased"
 CROSS JOIN "{schema}_job" AS job ON job.chain_id = open.chain_id AND job.position = open.position
 CROSS JOIN "{schema}_job" AS head ON head.chain_id = open.chain_id AND head.position = 0
 WHERE open.token = :token;
