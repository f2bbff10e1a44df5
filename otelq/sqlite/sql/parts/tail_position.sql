-- The chain's last job.
(SELECT max(tail.position) FROM main."{schema}_job" AS tail WHERE tail.chain_id = chain.chain_id) AS position
