-- Find an earlier job of the chain with one of these names of a type.
SELECT json_group_array(position)
  FROM main."{schema}_job"
 WHERE chain_id = :chain AND type IN (SELECT value FROM json_each(:steps)) AND position < :position;
