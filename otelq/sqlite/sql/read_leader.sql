-- Read a leader that has not resigned and whose time is not over.
SELECT json_group_array(json_array(holder, token, until))
  FROM main."{schema}_leader"
 WHERE name = :task AND until > :now;
