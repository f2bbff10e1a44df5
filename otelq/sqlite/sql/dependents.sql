-- Chains that wait, or ever waited, for one, newest first.
SELECT json_group_array(chain_id)
  FROM (
    SELECT DISTINCT chain_id FROM "{schema}_blocker"
     WHERE blocker_id = :blocked_by AND chain_id BETWEEN :low AND :high
     ORDER BY chain_id DESC
     LIMIT :look
  );
