-- Find an earlier job of the chain of this type.
SELECT json_group_array(position)
  FROM main."{schema}_job"
 WHERE chain_id = :chain AND type = :step AND position < :position;
