-- Every open chain has one row here, that of its tail.
SELECT chain_id, position FROM main."{schema}_open_job"
                 WHERE {in_range}
                 ORDER BY chain_id DESC
