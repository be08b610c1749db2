-- The sum of the migrations: what the database looks like after all of them. `book_example` stands for each book.
-- Written by `python -m ledger.store.schema_sql`, never by hand; a test compares.

CREATE SCHEMA ledger_control;
GRANT USAGE ON SCHEMA ledger_control TO ledger_app;

CREATE TABLE ledger_control.api_keys (
    id text COLLATE "C" NOT NULL,
    book text COLLATE "C" NOT NULL,
    name text NOT NULL,
    key_hash bytea NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    revoked_at timestamp with time zone,
    expires_at timestamp with time zone,
    CONSTRAINT api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT api_keys_key_hash UNIQUE (key_hash)
);
GRANT SELECT ON ledger_control.api_keys TO ledger_app;

CREATE TABLE ledger_control.books (
    name text COLLATE "C" NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT books_pkey PRIMARY KEY (name),
    CONSTRAINT books_name CHECK ((name ~ '^[a-z][a-z0-9_]{0,30}$'::text))
);
GRANT SELECT ON ledger_control.books TO ledger_app;

CREATE TABLE ledger_control.migration_lock (
    one boolean NOT NULL,
    CONSTRAINT migration_lock_pkey PRIMARY KEY (one),
    CONSTRAINT migration_lock_is_one_row CHECK (one)
);

CREATE TABLE ledger_control.schema_migrations (
    name text COLLATE "C" NOT NULL,
    checksum bytea NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (name)
);

ALTER TABLE ledger_control.api_keys ADD CONSTRAINT api_keys_book FOREIGN KEY (book) REFERENCES ledger_control.books(name);

CREATE SCHEMA book_example;
GRANT USAGE ON SCHEMA book_example TO ledger_app;

CREATE TABLE book_example.balances (
    account text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    currency text NOT NULL,
    min_balance bigint,
    max_balance bigint,
    status text NOT NULL,
    protected boolean NOT NULL,
    outside_limits boolean NOT NULL,
    posted_debits bigint DEFAULT 0 NOT NULL,
    posted_credits bigint DEFAULT 0 NOT NULL,
    pending_debits bigint DEFAULT 0 NOT NULL,
    pending_credits bigint DEFAULT 0 NOT NULL,
    last_position bigint NOT NULL,
    CONSTRAINT balances_pkey PRIMARY KEY (account),
    CONSTRAINT balances_ceiling CHECK ((outside_limits OR (max_balance IS NULL) OR ((max_balance)::numeric >=
CASE
    WHEN (kind = ANY (ARRAY['asset'::text, 'expense'::text])) THEN ((posted_debits)::numeric - (posted_credits)::numeric)
    ELSE ((posted_credits)::numeric - (posted_debits)::numeric)
END))),
    CONSTRAINT balances_closed_is_empty CHECK (((status <> 'closed'::text) OR ((posted_debits = posted_credits) AND (pending_debits = 0) AND (pending_credits = 0)))),
    CONSTRAINT balances_floor CHECK ((outside_limits OR (min_balance IS NULL) OR ((min_balance)::numeric <=
CASE
    WHEN (kind = ANY (ARRAY['asset'::text, 'expense'::text])) THEN (((posted_debits)::numeric - (posted_credits)::numeric) - (pending_credits)::numeric)
    ELSE (((posted_credits)::numeric - (posted_debits)::numeric) - (pending_debits)::numeric)
END))),
    CONSTRAINT balances_kind CHECK ((kind = ANY (ARRAY['asset'::text, 'liability'::text, 'equity'::text, 'revenue'::text, 'expense'::text]))),
    CONSTRAINT balances_not_negative CHECK (((posted_debits >= 0) AND (posted_credits >= 0) AND (pending_debits >= 0) AND (pending_credits >= 0))),
    CONSTRAINT balances_status CHECK ((status = ANY (ARRAY['open'::text, 'frozen'::text, 'closed'::text])))
) WITH (fillfactor=70);
GRANT INSERT, SELECT, UPDATE ON book_example.balances TO ledger_app;

CREATE TABLE book_example.closed_periods (
    period text NOT NULL,
    CONSTRAINT closed_periods_pkey PRIMARY KEY (period)
);
GRANT DELETE, INSERT, SELECT ON book_example.closed_periods TO ledger_app;

CREATE TABLE book_example.entry_references (
    reference text COLLATE "C" NOT NULL,
    entry text COLLATE "C" NOT NULL,
    CONSTRAINT entry_references_pkey PRIMARY KEY (reference)
);
GRANT INSERT, SELECT ON book_example.entry_references TO ledger_app;

CREATE TABLE book_example.events (
    originator_id text COLLATE "C" NOT NULL,
    originator_version bigint NOT NULL,
    topic text COLLATE "C" NOT NULL,
    state bytea NOT NULL,
    notification_id bigint NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    metadata bytea NOT NULL,
    CONSTRAINT events_pkey PRIMARY KEY (originator_id, originator_version),
    CONSTRAINT events_position_positive CHECK ((notification_id >= 1)),
    CONSTRAINT events_version_positive CHECK ((originator_version >= 1))
);
CREATE UNIQUE INDEX events_position ON book_example.events USING btree (notification_id);
GRANT INSERT, SELECT ON book_example.events TO ledger_app;

CREATE TABLE book_example.idempotency_keys (
    key text COLLATE "C" NOT NULL,
    fingerprint bytea NOT NULL,
    status smallint NOT NULL,
    "position" bigint NOT NULL,
    answer bytea,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (key)
);
GRANT INSERT, SELECT ON book_example.idempotency_keys TO ledger_app;

CREATE TABLE book_example.late_answers (
    key text COLLATE "C" NOT NULL,
    status smallint NOT NULL,
    answer bytea NOT NULL,
    CONSTRAINT late_answers_pkey PRIMARY KEY (key)
);
GRANT INSERT, SELECT ON book_example.late_answers TO ledger_app;

CREATE TABLE book_example.log_head (
    one boolean DEFAULT true NOT NULL,
    "position" bigint DEFAULT 0 NOT NULL,
    recorded_at timestamp with time zone DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone NOT NULL,
    CONSTRAINT log_head_pkey PRIMARY KEY (one),
    CONSTRAINT log_head_is_one_row CHECK (one)
) WITH (fillfactor=10);
GRANT SELECT, UPDATE ON book_example.log_head TO ledger_app;

CREATE TABLE book_example.schema_migrations (
    name text COLLATE "C" NOT NULL,
    checksum bytea NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (name)
);
