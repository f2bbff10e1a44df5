main."{schema}_outcome" AS outcome
                      WHERE outcome.chain_id = walk.chain_id AND outcome.position = walk.position AND outcome.generation = 0
