SELECT chain_id, position FROM main."{schema}_open_job"
                 WHERE {within}
                 ORDER BY chain_id DESC
