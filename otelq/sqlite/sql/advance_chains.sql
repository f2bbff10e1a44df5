-- Replace the open job of each chain by its successor, in place. The row is leased already if value ->> 5 is a token.
UPDATE main."{schema}_open_job" AS open
   SET position = open.position + 1,
       type = item.value ->> 1,
       queue = item.value ->> 2,
       priority = coalesce(item.value ->> 3, open.priority),
       run_at = item.value ->> 4,
       attempt = (item.value ->> 5) IS NOT NULL,
       crashes = 0,
       blocked_by_count = 0,
       until = NULL,
       on_failure = NULL,
       expires_at = NULL,
       token = item.value ->> 5,
       leased_by = item.value ->> 6,
       claimed_at = item.value ->> 7,
       leased_until = item.value ->> 8,
       deadline = item.value ->> 9,
       last_trace = NULL
  FROM json_each(:advanced) AS item
 WHERE open.chain_id = item.value ->> 0;
