-- Read what the end of chains did to their dependents at that very time, for a repeated settlement.
-- A dependent that was closed before, as by another blocker, got no transition though its blocker row was released.
-- A dependent that ran since may have lost the time for which it was planned; then it counts as due at once.
SELECT json_group_array(json_array(json_array(
           0, dependent.chain_id, dependent.position, dependent.type, dependent.queue, 0,
           iif(open.attempt = 0, open.run_at, :at), 0, 0, 1, released.waited_on, NULL, NULL, NULL, NULL, NULL,
           dependent.created_at, dependent.trace, head.type, head.created_at, 0), failed.error_type))
  FROM (
    SELECT DISTINCT blocker.chain_id, blocker.position,
           EXISTS (SELECT 1 FROM main."{schema}_blocker" AS next WHERE next.blocker_id = blocker.chain_id) AS waited_on,
           NOT EXISTS (SELECT 1 FROM main."{schema}_blocker" AS other
                        WHERE other.chain_id = blocker.chain_id AND other.position = blocker.position
                          AND (other.released_at IS NULL OR other.released_at > :at))
           AND NOT EXISTS (SELECT 1 FROM main."{schema}_outcome" AS past
                            WHERE past.chain_id = blocker.chain_id AND past.position = blocker.position
                              AND past.generation = 0 AND past.closed_at < :at) AS is_unblocked
      FROM json_each(:blockers) AS item
     CROSS JOIN main."{schema}_blocker" AS blocker ON blocker.blocker_id = item.value AND blocker.released_at = :at
  ) AS released
 CROSS JOIN main."{schema}_job" AS dependent
    ON dependent.chain_id = released.chain_id AND dependent.position = released.position
 CROSS JOIN main."{schema}_job" AS head ON head.chain_id = released.chain_id AND head.position = 0
  LEFT JOIN main."{schema}_open_job" AS open ON open.chain_id = released.chain_id AND open.position = released.position
  LEFT JOIN main."{schema}_outcome" AS failed
    ON failed.chain_id = released.chain_id AND failed.position = released.position
   AND failed.verb = 'fail_by_blocker' AND failed.closed_at = :at
 WHERE released.is_unblocked OR failed.chain_id IS NOT NULL;
