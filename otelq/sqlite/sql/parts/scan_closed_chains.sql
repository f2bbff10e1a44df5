-- Chains by their tail. The chain of the last page's key was on that page.
{closed_chain}
                SELECT chain.chain_id, {tail_position}
                  FROM chain
                 WHERE chain.chain_id IS NOT NULL AND NOT (chain.chain_id = :high AND :position >= 0)
