-- Ends a leadership. Its row stays, so that the next holder gets a higher token.
UPDATE {schema}.leader
SET until = {now}
WHERE name = $2::text AND holder = $3::text AND token = $4::bigint AND until > {now}
