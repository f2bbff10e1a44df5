-- Gives dedup keys back that this transaction has taken for starts which are given another chain instead: the holder of
-- the key under another name of the type.
DELETE FROM {schema}.dedup_key AS k
USING unnest($1::text[], $2::text[], $3::uuid[]) AS own (type, key, chain_id)
WHERE k.type = own.type AND k.key = own.key AND k.chain_id = own.chain_id
    AND k.type = ANY ($1::text[]) AND k.key = ANY ($2::text[])
