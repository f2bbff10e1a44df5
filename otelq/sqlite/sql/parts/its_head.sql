main."{schema}_job" AS head WHERE head.chain_id = walk.chain_id AND head.position = 0
