DELETE FROM main."{schema}_dedup_key";
