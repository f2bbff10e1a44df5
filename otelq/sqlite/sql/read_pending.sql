-- Read closed chains whose dependents wait to be unblocked.
SELECT json_group_array(chain_id) FROM (SELECT chain_id FROM main."{schema}_pending_unblock" LIMIT :limit);
