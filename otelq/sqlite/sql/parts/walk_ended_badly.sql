SELECT chain_id, position FROM main."{schema}_outcome" INDEXED BY "{schema}_ended_badly"
                 WHERE status = :status AND status IN ('failed', 'cancelled') AND generation = 0 AND {within}
                 ORDER BY chain_id DESC
