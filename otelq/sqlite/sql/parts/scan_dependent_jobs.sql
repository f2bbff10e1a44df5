-- Jobs that wait for a blocker, or waited for it.
SELECT chain_id, position FROM main."{schema}_blocker"
                 WHERE blocker_id = :blocked_by AND {in_range}
                 ORDER BY chain_id DESC, position
