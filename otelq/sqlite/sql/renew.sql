-- Extend leases that read_deadlines found current in the same transaction.
UPDATE main."{schema}_open_job" AS open
   SET leased_until = item.value ->> 1
  FROM json_each(:renewed) AS item
 WHERE open.chain_id = item.value ->> 0;
