{closed_chain}
                SELECT chain.chain_id, {tail}
                  FROM chain
                 WHERE chain.chain_id IS NOT NULL AND NOT (chain.chain_id = :high AND :position >= 0)
