-- The log of one book: events, its head, the keys of commands, and the balances that decisions need.

CREATE TABLE events (
    originator_id      text COLLATE "C" NOT NULL,
    originator_version bigint           NOT NULL,
    topic              text COLLATE "C" NOT NULL,
    state              bytea            NOT NULL,
    notification_id    bigint           NOT NULL,
    recorded_at        timestamptz      NOT NULL,
    metadata           bytea            NOT NULL,
    CONSTRAINT events_pkey PRIMARY KEY (originator_id, originator_version),
    CONSTRAINT events_version_positive CHECK (originator_version >= 1),
    CONSTRAINT events_position_positive CHECK (notification_id >= 1)
);

-- The position: dense, from 1, in commit order. Assigned from log_head, never by a sequence.
CREATE UNIQUE INDEX events_position ON events (notification_id);

-- One row. A writer locks it, so that one batch at a time is appended.
CREATE TABLE log_head (
    one         boolean     NOT NULL DEFAULT true,
    position    bigint      NOT NULL DEFAULT 0,
    recorded_at timestamptz NOT NULL DEFAULT 'epoch',
    CONSTRAINT log_head_pkey PRIMARY KEY (one),
    CONSTRAINT log_head_is_one_row CHECK (one)
) WITH (fillfactor = 10);

INSERT INTO log_head DEFAULT VALUES;

-- What was answered to each key; kept for ever. answer is null where the event at the position tells it all.
CREATE TABLE idempotency_keys (
    key         text COLLATE "C" NOT NULL,
    fingerprint bytea            NOT NULL,
    status      smallint         NOT NULL,
    position    bigint           NOT NULL,
    answer      bytea,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (key)
);

-- The first body that was sent for a command whose answer tells of what happened after its commit.
CREATE TABLE late_answers (
    key    text COLLATE "C" NOT NULL,
    status smallint         NOT NULL,
    answer bytea            NOT NULL,
    CONSTRAINT late_answers_pkey PRIMARY KEY (key)
);

CREATE TABLE balances (
    account        text COLLATE "C" NOT NULL,
    kind           text             NOT NULL,
    currency       text             NOT NULL,
    min_balance    bigint,
    max_balance    bigint,
    status         text             NOT NULL,
    protected      boolean          NOT NULL,
    outside_limits boolean          NOT NULL,
    posted_debits   bigint          NOT NULL DEFAULT 0,
    posted_credits  bigint          NOT NULL DEFAULT 0,
    pending_debits  bigint          NOT NULL DEFAULT 0,
    pending_credits bigint          NOT NULL DEFAULT 0,
    last_position   bigint          NOT NULL,
    CONSTRAINT balances_pkey PRIMARY KEY (account),
    CONSTRAINT balances_kind CHECK (kind IN ('asset', 'liability', 'equity', 'revenue', 'expense')),
    CONSTRAINT balances_status CHECK (status IN ('open', 'frozen', 'closed')),
    CONSTRAINT balances_not_negative
        CHECK (posted_debits >= 0 AND posted_credits >= 0 AND pending_debits >= 0 AND pending_credits >= 0),
    -- The last line of a law that deciders enforce first. outside_limits marks accounts whose limits were set when the
    -- balance did not keep them; numeric, because a sum of bigints may pass bigint.
    CONSTRAINT balances_floor CHECK (
        outside_limits OR min_balance IS NULL OR min_balance <=
        CASE WHEN kind IN ('asset', 'expense')
             THEN posted_debits::numeric - posted_credits - pending_credits
             ELSE posted_credits::numeric - posted_debits - pending_debits END),
    CONSTRAINT balances_ceiling CHECK (
        outside_limits OR max_balance IS NULL OR max_balance >=
        CASE WHEN kind IN ('asset', 'expense')
             THEN posted_debits::numeric - posted_credits
             ELSE posted_credits::numeric - posted_debits END),
    CONSTRAINT balances_closed_is_empty CHECK (
        status <> 'closed' OR (posted_debits = posted_credits AND pending_debits = 0 AND pending_credits = 0))
) WITH (fillfactor = 70);

CREATE TABLE entry_references (
    reference text COLLATE "C" NOT NULL,
    entry     text COLLATE "C" NOT NULL,
    CONSTRAINT entry_references_pkey PRIMARY KEY (reference)
);

CREATE TABLE closed_periods (
    period text NOT NULL,
    CONSTRAINT closed_periods_pkey PRIMARY KEY (period)
);
