SELECT chain_id, position FROM main."{schema}_blocker"
                 WHERE blocker_id = :blocked_by AND {within}
                 ORDER BY chain_id DESC, position
