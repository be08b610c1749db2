-- What the projections write: a memory of the log for those who read, and never a second truth.

-- How far each projection has come. Its row is locked while it writes, so that every event is taken exactly once.
CREATE TABLE projection_checkpoints (
    projection text COLLATE "C" NOT NULL,
    version    integer          NOT NULL,
    position   bigint           NOT NULL DEFAULT 0,
    -- Grows when a rebuild has put other rows in place: what a follower remembers of the old ones is worth nothing then.
    generation integer          NOT NULL DEFAULT 0,
    -- Why it stands still, with the evidence; null while it runs.
    trouble    text,
    CONSTRAINT projection_checkpoints_pkey PRIMARY KEY (projection),
    CONSTRAINT projection_checkpoints_position CHECK (position >= 0)
) WITH (fillfactor = 10);

-- One row per posting, with the account's turnover after it in the order of positions. What else is known of the entry
-- stands in the log at this position.
CREATE TABLE postings (
    account        text COLLATE "C" NOT NULL,
    position       bigint           NOT NULL,
    leg            smallint         NOT NULL,
    is_debit       boolean          NOT NULL,
    amount         bigint           NOT NULL,
    posted_debits  bigint           NOT NULL,
    posted_credits bigint           NOT NULL,
    effective_at   timestamptz      NOT NULL,
    recorded_at    timestamptz      NOT NULL,
    CONSTRAINT postings_pkey PRIMARY KEY (account, position, leg),
    CONSTRAINT postings_amount CHECK (amount > 0),
    -- Balances of the past are read by position, which is right only because nothing takes effect after it is recorded.
    CONSTRAINT postings_never_in_the_future CHECK (effective_at <= recorded_at)
);

-- The few that were dated back; all others lie in the order of their positions already.
CREATE INDEX postings_dated_back ON postings (account, effective_at, position, leg) INCLUDE (is_debit, amount)
 WHERE effective_at < recorded_at;
CREATE INDEX postings_entries_dated_back ON postings (effective_at, position)
 WHERE effective_at < recorded_at AND leg = 0;

-- What was pending on an account after each event that changed it.
CREATE TABLE pending_turnover (
    account         text COLLATE "C" NOT NULL,
    position        bigint           NOT NULL,
    pending_debits  bigint           NOT NULL,
    pending_credits bigint           NOT NULL,
    CONSTRAINT pending_turnover_pkey PRIMARY KEY (account, position),
    CONSTRAINT pending_turnover_not_negative CHECK (pending_debits >= 0 AND pending_credits >= 0)
);

-- Holds that are active and have an end.
CREATE TABLE hold_expiries (
    hold       text COLLATE "C" NOT NULL,
    expires_at timestamptz      NOT NULL,
    CONSTRAINT hold_expiries_pkey PRIMARY KEY (hold)
);
CREATE INDEX hold_expiries_due ON hold_expiries (expires_at, hold);

-- One row per payment; `state` is the fold of its stream, as JSON.
CREATE TABLE order_status (
    payment         text COLLATE "C" NOT NULL,
    position        bigint           NOT NULL,
    merchant        text COLLATE "C" NOT NULL,
    order_reference text COLLATE "C" NOT NULL,
    status          text             NOT NULL,
    state           bytea            NOT NULL,
    CONSTRAINT order_status_pkey PRIMARY KEY (payment)
);
CREATE UNIQUE INDEX order_status_position ON order_status (position);
CREATE INDEX order_status_order_reference ON order_status (order_reference, position);
CREATE INDEX order_status_merchant ON order_status (merchant, position);
CREATE INDEX order_status_status ON order_status (status, position);

-- Which events name an entity although they stand in another's stream and do not post to it.
CREATE TABLE audit_links (
    entity   text COLLATE "C" NOT NULL,
    position bigint           NOT NULL,
    CONSTRAINT audit_links_pkey PRIMARY KEY (entity, position)
);
