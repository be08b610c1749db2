-- What waits for a second person, and what became of it: filled from the log and can be rebuilt from it.

CREATE TABLE approvals (
    approval   text COLLATE "C" NOT NULL,
    position   bigint           NOT NULL,
    kind       text             NOT NULL,
    status     text             NOT NULL,
    period     text             NOT NULL,
    expires_at timestamptz      NOT NULL,
    state      bytea            NOT NULL,
    CONSTRAINT approvals_pkey PRIMARY KEY (approval)
);
CREATE UNIQUE INDEX approvals_position ON approvals (position);
CREATE INDEX approvals_pending ON approvals (position) WHERE status = 'pending';
