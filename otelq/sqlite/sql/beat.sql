-- Store that workers are alive. The time of the start is that of the first beat.
INSERT INTO main."{schema}_worker"
    (id, name, host, pid, version, queues, types, refused, slots, running, started_at, seen_at)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
       value ->> 8, value ->> 9, :now - (value ->> 10), :now
  FROM json_each(:beats) WHERE true
ON CONFLICT (id) DO UPDATE
   SET name = excluded.name, host = excluded.host, pid = excluded.pid, version = excluded.version,
       queues = excluded.queues, types = excluded.types, refused = excluded.refused, slots = excluded.slots,
       running = excluded.running, seen_at = excluded.seen_at;
