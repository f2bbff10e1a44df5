(SELECT max(tail.position) FROM "{schema}_job" AS tail WHERE tail.chain_id = chain.chain_id) AS position
