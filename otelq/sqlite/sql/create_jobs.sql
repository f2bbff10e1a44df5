-- Store the immutable part of jobs. Text that is not JSON becomes a blob, which a text column of a STRICT table
-- refuses. A CHECK would have to call json_valid, and connections that do not trust the schema cannot read a table
-- whose schema calls functions.
INSERT INTO main."{schema}_job" (
    chain_id, position, type, queue, input, created_at, trace, meta, dedup_key, dedup_lasting, dedup_aliases
)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, iif(json_valid(value ->> 4), value ->> 4, x''), :now,
       value ->> 5, iif(value ->> 6 IS NULL OR json_valid(value ->> 6), value ->> 6, x''), value ->> 7, value ->> 8, value ->> 9
  FROM json_each(:jobs);
