-- The other names of its type under which a chain holds its dedup key, to release the key and to take it back.
ALTER TABLE {schema}.job ADD COLUMN key_aliases text[] COLLATE "C";
