-- Times that a client could not read, and numbers that the next step would take out of their type: one such row, written
-- by hand, would fail every statement that meets it, and so the jobs of everybody. What is stored already is not looked
-- at, so that this takes no time.
ALTER TABLE {schema}.job
    ADD CONSTRAINT job_bounds CHECK (
        created_at BETWEEN timestamptz '0001-01-02 00:00+00' AND timestamptz '9999-12-30 00:00+00'
        AND run_at BETWEEN timestamptz '0001-01-02 00:00+00' AND timestamptz '9999-12-30 00:00+00'
        AND chain_created_at BETWEEN timestamptz '0001-01-02 00:00+00' AND timestamptz '9999-12-30 00:00+00'
        AND position < 1000000000
        AND blockers < 1000000000
    ) NOT VALID;

ALTER TABLE {schema}.open_job
    ADD CONSTRAINT open_job_bounds CHECK (
        run_at BETWEEN timestamptz '0001-01-02 00:00+00' AND timestamptz '9999-12-30 00:00+00'
        AND claimed_at BETWEEN timestamptz '0001-01-02 00:00+00' AND timestamptz '9999-12-30 00:00+00'
        AND leased_until BETWEEN timestamptz '0001-01-02 00:00+00' AND timestamptz '9999-12-30 00:00+00'
        AND deadline BETWEEN timestamptz '0001-01-02 00:00+00' AND timestamptz '9999-12-30 00:00+00'
        AND expires_at BETWEEN timestamptz '0001-01-02 00:00+00' AND timestamptz '9999-12-30 00:00+00'
        AND position < 1000000000
        AND attempt < 1000000000
        AND crashes < 1000000000
    ) NOT VALID;

ALTER TABLE {schema}.outcome
    ADD CONSTRAINT outcome_bounds CHECK (
        closed_at BETWEEN timestamptz '0001-01-02 00:00+00' AND timestamptz '9999-12-30 00:00+00'
        AND run_at BETWEEN timestamptz '0001-01-02 00:00+00' AND timestamptz '9999-12-30 00:00+00'
        AND claimed_at BETWEEN timestamptz '0001-01-02 00:00+00' AND timestamptz '9999-12-30 00:00+00'
        AND redriven_at BETWEEN timestamptz '0001-01-02 00:00+00' AND timestamptz '9999-12-30 00:00+00'
        AND attempt BETWEEN 0 AND 999999999
        AND crashes BETWEEN 0 AND 999999999
    ) NOT VALID;

ALTER TABLE {schema}.attempt
    ADD CONSTRAINT attempt_bounds CHECK (
        claimed_at BETWEEN timestamptz '0001-01-02 00:00+00' AND timestamptz '9999-12-30 00:00+00'
        AND ended_at BETWEEN timestamptz '0001-01-02 00:00+00' AND timestamptz '9999-12-30 00:00+00'
        AND due_at BETWEEN timestamptz '0001-01-02 00:00+00' AND timestamptz '9999-12-30 00:00+00'
    ) NOT VALID;
