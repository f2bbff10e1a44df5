-- Find the jobs that wait for closed chains, with the status of the blocker. Any end of a blocker counts for a row
-- whose `waits` is 0; a row with `waits` 1 (on_failure wait) is released by a completion only.
-- The order does not matter, so that the scan can stop at the limit.
WITH closed AS MATERIALIZED (
    SELECT item.value AS chain_id,
           (SELECT status FROM main."{schema}_outcome" AS outcome
             WHERE outcome.chain_id = item.value AND outcome.generation = 0
             ORDER BY position DESC
             LIMIT 1) AS status
      FROM json_each(:blockers) AS item
     WHERE NOT EXISTS (SELECT 1 FROM main."{schema}_open_job" AS open WHERE open.chain_id = item.value)
)
SELECT json_group_array(json_array(chain_id, position, ordinal, blocker_id, status))
  FROM (
    SELECT blocker.chain_id, blocker.position, blocker.ordinal, blocker.blocker_id, closed.status
      FROM closed
     CROSS JOIN main."{schema}_blocker" AS blocker INDEXED BY "{schema}_awaited"
        ON blocker.blocker_id = closed.chain_id
       AND blocker.waits <= (closed.status = 'completed')
       AND blocker.released_at IS NULL
     LIMIT :limit
  );
