-- Returns a value of each type that statements take and give, to find out if the driver's codecs change them.
SELECT
    $1::timestamptz AS at, $2::timestamptz[] AS moments, $3::uuid[]::text[] AS ids, $4::uuid::text AS id,
    $5::integer AS number, $6::integer[] AS numbers, $7::bigint AS token, $8::bigint[] AS tokens, $9::float8[] AS reals,
    $10::boolean AS flag, $11::boolean[] AS flags, $12::text AS word, $13::text[] AS words,
    $14::float8 AS real
