-- Chains of which any job waits for a blocker, or waited for it, each once.
SELECT chain.chain_id, {tail_position}
                  FROM main."{schema}_blocker" AS chain
                 WHERE blocker_id = :blocked_by AND {in_range}
                 GROUP BY chain.chain_id
                 ORDER BY chain.chain_id DESC
