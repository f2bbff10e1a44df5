SELECT chain_id, position FROM "{schema}_open_job"
                 WHERE {within}
                 ORDER BY chain_id DESC
