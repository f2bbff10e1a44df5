-- Takes some of the closed chains that still have dependents. Chains with dependents left are added again before the
-- commit. SKIP LOCKED: another worker has taken those.
DELETE FROM {schema}.pending_unblock
WHERE blocker_id = ANY (
    ARRAY(
        SELECT blocker_id
        FROM {schema}.pending_unblock
        ORDER BY since, blocker_id
        LIMIT $1::integer
        FOR UPDATE SKIP LOCKED
    )
)
RETURNING blocker_id::text
