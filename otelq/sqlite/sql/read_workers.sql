-- Read the live workers. Lists are read as text, so that a row with another value fails alone.
SELECT json_group_array(json_array(
           id, name, host, pid, version, queues, types, refused, slots, running, started_at, seen_at))
  FROM main."{schema}_worker"
 WHERE seen_at BETWEEN :oldest AND :newest;
