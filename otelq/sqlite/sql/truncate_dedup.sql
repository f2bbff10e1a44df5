DELETE FROM "{schema}_dedup_key";
