-- Read the leadership that its holder has, or has just asked for.
SELECT json_group_array(json_array(token, until))
  FROM main."{schema}_leader"
 WHERE name = :task AND holder = :holder;
