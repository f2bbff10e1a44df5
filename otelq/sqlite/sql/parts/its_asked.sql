main."{schema}_job" AS asked WHERE asked.chain_id = walk.chain_id AND asked.position = {asked}
