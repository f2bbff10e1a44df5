-- Failed or cancelled jobs have an index of their own: they are few, and people look for the newest.
SELECT chain_id, position FROM main."{schema}_outcome" INDEXED BY "{schema}_ended_badly"
                 WHERE status = :status AND status IN ('failed', 'cancelled') AND generation = 0 AND {in_range}
                 ORDER BY chain_id DESC
