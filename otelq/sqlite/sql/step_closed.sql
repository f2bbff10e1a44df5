-- Whether an earlier job of the chain is of the type.
SELECT json_group_array(position)
  FROM main."{schema}_job"
 WHERE chain_id = :chain AND type = :step AND position < :position;
