-- Mark blockers as released. released_at is the time of the blocker's end, by which a repeated settlement finds them.
UPDATE main."{schema}_blocker" AS blocker
   SET released_at = :now
  FROM json_each(:blockers) AS item
 WHERE blocker.chain_id = item.value ->> 0
   AND blocker.position = item.value ->> 1
   AND blocker.ordinal = item.value ->> 2;
