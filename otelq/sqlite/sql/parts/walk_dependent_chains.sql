SELECT chain.chain_id, {tail}
                  FROM main."{schema}_blocker" AS chain
                 WHERE blocker_id = :blocked_by AND {within}
                 GROUP BY chain.chain_id
                 ORDER BY chain.chain_id DESC
