-- What is to be seen of jobs: whether they exist, how they closed, and where their chain's open job stands.
SELECT json_group_array(json_array(
           item.key, job.chain_id IS NOT NULL, outcome.status, open.run_at, open.attempt))
  FROM json_each(:jobs) AS item
  LEFT JOIN "{schema}_job" AS job ON job.chain_id = item.value ->> 0 AND job.position = item.value ->> 1
  LEFT JOIN "{schema}_open_job" AS open ON open.chain_id = item.value ->> 0 AND open.position = item.value ->> 1
  LEFT JOIN "{schema}_outcome" AS outcome
    ON outcome.chain_id = item.value ->> 0 AND outcome.position = item.value ->> 1
   AND open.chain_id IS NULL;
