-- Each closed chain once, newest first, by jumps from one id to the next lower one. The other jobs of a chain cost
-- nothing.
WITH RECURSIVE chain (chain_id) AS (
                    SELECT max(chain_id) FROM main."{schema}_outcome" WHERE chain_id BETWEEN :low AND :high
                    UNION ALL
                    SELECT (SELECT max(next.chain_id) FROM main."{schema}_outcome" AS next
                             WHERE next.chain_id >= :low AND next.chain_id < chain.chain_id)
                      FROM chain
                     WHERE chain.chain_id IS NOT NULL
                )
