-- Closed jobs, newest chain first, of a chain first to last, from the job after the last page's key.
{closed_chain}
                SELECT outcome.chain_id, outcome.position
                  FROM chain
                 CROSS JOIN main."{schema}_outcome" AS outcome
                    ON outcome.chain_id = chain.chain_id AND outcome.generation = 0
                   AND outcome.position > iif(chain.chain_id = :high, :position, -1)
