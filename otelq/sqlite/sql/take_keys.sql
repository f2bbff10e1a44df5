-- Take dedup keys, also from holders that do not match the start.
INSERT INTO main."{schema}_dedup_key" (type, key, chain_id, taken_at, lasting)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(:keys) WHERE true
ON CONFLICT (type, key) DO UPDATE
   SET chain_id = excluded.chain_id, taken_at = excluded.taken_at, lasting = excluded.lasting;
