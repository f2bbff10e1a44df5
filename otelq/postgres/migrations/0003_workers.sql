-- The workers that run now, one row each, which they write again every 30 seconds; and the leaders of tasks that one
-- worker does for all. Both tables are small and change often. They have no index beside the key, so that an update
-- changes none, and half of each page is free for the new version of a row: vacuum has little to do.
CREATE TABLE {schema}.worker (
    id         text        NOT NULL COLLATE "C" PRIMARY KEY,
    started_at timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL,
    pid        bigint      NOT NULL,
    slots      integer     NOT NULL,
    running    integer     NOT NULL,
    name       text        NOT NULL COLLATE "C",
    host       text        NOT NULL COLLATE "C",
    version    text        NOT NULL,
    queues     jsonb       NOT NULL,
    types      jsonb       NOT NULL,
    refused    jsonb       NOT NULL,
    -- Times that a client could not read would hide all workers from it.
    CONSTRAINT worker_bounds CHECK (
        started_at BETWEEN timestamptz '0001-01-02 00:00+00' AND timestamptz '9999-12-30 00:00+00'
        AND seen_at BETWEEN timestamptz '0001-01-02 00:00+00' AND timestamptz '9999-12-30 00:00+00'
    )
) WITH (fillfactor = 50);

-- The row of a leader stays when its time is over, so that the token of the next one is higher.
CREATE TABLE {schema}.leader (
    name   text        NOT NULL COLLATE "C" PRIMARY KEY,
    token  bigint      NOT NULL,
    until  timestamptz NOT NULL,
    holder text        NOT NULL COLLATE "C",
    CONSTRAINT leader_bounds CHECK (
        until BETWEEN timestamptz '0001-01-02 00:00+00' AND timestamptz '9999-12-30 00:00+00'
        AND token BETWEEN 1 AND 1000000000000000
    )
) WITH (fillfactor = 50);
