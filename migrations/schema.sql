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
    person text COLLATE "C" DEFAULT ''::text NOT NULL,
    CONSTRAINT api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT api_keys_key_hash UNIQUE (key_hash),
    CONSTRAINT api_keys_person CHECK (((person = ''::text) OR (person ~ '^[a-z0-9][a-z0-9._@+-]{0,63}$'::text)))
);
GRANT SELECT ON ledger_control.api_keys TO ledger_app;

CREATE TABLE ledger_control.books (
    name text COLLATE "C" NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT books_pkey PRIMARY KEY (name),
    CONSTRAINT books_name CHECK ((name ~ '^[a-z][a-z0-9_]{0,30}$'::text))
);
GRANT SELECT ON ledger_control.books TO ledger_app;

CREATE TABLE ledger_control.channel_callbacks (
    channel text NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    headers jsonb NOT NULL,
    body bytea NOT NULL,
    subject text NOT NULL,
    book text COLLATE "C",
    effect text,
    CONSTRAINT channel_callbacks_pkey PRIMARY KEY (channel, event_id),
    CONSTRAINT channel_callbacks_effect CHECK ((effect = ANY (ARRAY['taken'::text, 'ignored'::text])))
);
CREATE INDEX channel_callbacks_open ON ledger_control.channel_callbacks USING btree (received_at) WHERE (effect IS DISTINCT FROM 'taken'::text);
CREATE INDEX channel_callbacks_received_at ON ledger_control.channel_callbacks USING btree (received_at, channel, event_id);
GRANT INSERT, SELECT, UPDATE ON ledger_control.channel_callbacks TO ledger_app;

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

CREATE TABLE book_example.access_log (
    id text COLLATE "C" NOT NULL,
    at timestamp with time zone NOT NULL,
    key text COLLATE "C" NOT NULL,
    person text COLLATE "C",
    route text NOT NULL,
    entities text[] NOT NULL,
    parameters jsonb NOT NULL,
    correlation text NOT NULL,
    status smallint NOT NULL,
    CONSTRAINT access_log_pkey PRIMARY KEY (id)
);
CREATE INDEX access_log_entities ON book_example.access_log USING gin (entities);
CREATE INDEX access_log_key ON book_example.access_log USING btree (key, id);
GRANT INSERT, SELECT ON book_example.access_log TO ledger_app;

CREATE TABLE book_example.approvals (
    approval text COLLATE "C" NOT NULL,
    "position" bigint NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    period text NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    state bytea NOT NULL,
    CONSTRAINT approvals_pkey PRIMARY KEY (approval)
);
CREATE INDEX approvals_pending ON book_example.approvals USING btree ("position") WHERE (status = 'pending'::text);
CREATE UNIQUE INDEX approvals_position ON book_example.approvals USING btree ("position");
GRANT INSERT, SELECT, UPDATE ON book_example.approvals TO ledger_app;

CREATE TABLE book_example.audit_links (
    entity text COLLATE "C" NOT NULL,
    "position" bigint NOT NULL,
    CONSTRAINT audit_links_pkey PRIMARY KEY (entity, "position")
);
GRANT INSERT, SELECT ON book_example.audit_links TO ledger_app;

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
    WHEN (kind = ANY (ARRAY['asset'::text, 'expense'::text, 'memo'::text])) THEN ((posted_debits)::numeric - (posted_credits)::numeric)
    ELSE ((posted_credits)::numeric - (posted_debits)::numeric)
END))),
    CONSTRAINT balances_closed_is_empty CHECK (((status <> 'closed'::text) OR ((posted_debits = posted_credits) AND (pending_debits = 0) AND (pending_credits = 0)))),
    CONSTRAINT balances_floor CHECK ((outside_limits OR (min_balance IS NULL) OR ((min_balance)::numeric <=
CASE
    WHEN (kind = ANY (ARRAY['asset'::text, 'expense'::text, 'memo'::text])) THEN (((posted_debits)::numeric - (posted_credits)::numeric) - (pending_credits)::numeric)
    ELSE (((posted_credits)::numeric - (posted_debits)::numeric) - (pending_debits)::numeric)
END))),
    CONSTRAINT balances_kind CHECK ((kind = ANY (ARRAY['asset'::text, 'liability'::text, 'equity'::text, 'revenue'::text, 'expense'::text, 'memo'::text]))),
    CONSTRAINT balances_not_negative CHECK (((posted_debits >= 0) AND (posted_credits >= 0) AND (pending_debits >= 0) AND (pending_credits >= 0))),
    CONSTRAINT balances_status CHECK ((status = ANY (ARRAY['open'::text, 'frozen'::text, 'closed'::text])))
) WITH (fillfactor=70);
GRANT INSERT, SELECT, UPDATE ON book_example.balances TO ledger_app;

CREATE TABLE book_example.bank_expectations (
    expectation text COLLATE "C" NOT NULL,
    "position" bigint NOT NULL,
    currency text NOT NULL,
    at timestamp with time zone NOT NULL,
    is_open boolean NOT NULL,
    state bytea NOT NULL,
    CONSTRAINT bank_expectations_pkey PRIMARY KEY (expectation)
);
CREATE INDEX bank_expectations_open ON book_example.bank_expectations USING btree (currency, at, expectation) WHERE is_open;
GRANT INSERT, SELECT, UPDATE ON book_example.bank_expectations TO ledger_app;

CREATE TABLE book_example.channel_calls (
    id text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    subject text COLLATE "C" NOT NULL,
    channel text NOT NULL,
    request bytea NOT NULL,
    correlation text NOT NULL,
    causation text NOT NULL,
    state text DEFAULT 'due'::text NOT NULL,
    sends integer DEFAULT 0 NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    not_found integer DEFAULT 0 NOT NULL,
    next_at timestamp with time zone DEFAULT now() NOT NULL,
    claimed_at timestamp with time zone DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone NOT NULL,
    claimed_until timestamp with time zone DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone NOT NULL,
    last_answer text,
    CONSTRAINT channel_calls_pkey PRIMARY KEY (id),
    CONSTRAINT channel_calls_state CHECK ((state = ANY (ARRAY['due'::text, 'sent'::text, 'done'::text])))
) WITH (fillfactor=70);
CREATE INDEX channel_calls_next_at ON book_example.channel_calls USING btree (next_at) WHERE (state <> 'done'::text);
CREATE INDEX channel_calls_subject ON book_example.channel_calls USING btree (subject) WHERE (state <> 'done'::text);
GRANT INSERT, SELECT, UPDATE ON book_example.channel_calls TO ledger_app;

CREATE TABLE book_example.checkpoints (
    size bigint NOT NULL,
    note bytea NOT NULL,
    keys text[] NOT NULL,
    signed_at timestamp with time zone NOT NULL,
    CONSTRAINT checkpoints_pkey PRIMARY KEY (size),
    CONSTRAINT checkpoints_size CHECK ((size >= 0))
);
GRANT INSERT, SELECT ON book_example.checkpoints TO ledger_app;

CREATE TABLE book_example.closed_periods (
    period text NOT NULL,
    CONSTRAINT closed_periods_pkey PRIMARY KEY (period)
);
GRANT DELETE, INSERT, SELECT ON book_example.closed_periods TO ledger_app;

CREATE TABLE book_example.contract_dues (
    subject text COLLATE "C" NOT NULL,
    due_at timestamp with time zone NOT NULL,
    CONSTRAINT contract_dues_pkey PRIMARY KEY (subject)
);
CREATE INDEX contract_dues_due ON book_example.contract_dues USING btree (due_at, subject);
GRANT DELETE, INSERT, SELECT, UPDATE ON book_example.contract_dues TO ledger_app;

CREATE TABLE book_example.contracts (
    contract text COLLATE "C" NOT NULL,
    "position" bigint NOT NULL,
    customer text COLLATE "C" NOT NULL,
    merchant text COLLATE "C",
    status text NOT NULL,
    state bytea NOT NULL,
    CONSTRAINT contracts_pkey PRIMARY KEY (contract)
);
CREATE INDEX contracts_customer ON book_example.contracts USING btree (customer, "position");
CREATE INDEX contracts_merchant ON book_example.contracts USING btree (merchant, "position");
CREATE UNIQUE INDEX contracts_position ON book_example.contracts USING btree ("position");
CREATE INDEX contracts_status ON book_example.contracts USING btree (status, "position");
GRANT INSERT, SELECT, UPDATE ON book_example.contracts TO ledger_app;

CREATE TABLE book_example.cosignatures (
    size bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    line text NOT NULL,
    received_at timestamp with time zone NOT NULL,
    CONSTRAINT cosignatures_pkey PRIMARY KEY (size, name)
);
GRANT INSERT, SELECT ON book_example.cosignatures TO ledger_app;

CREATE TABLE book_example.dated_back (
    account text COLLATE "C" NOT NULL,
    "position" bigint NOT NULL,
    leg smallint NOT NULL,
    number bigint NOT NULL,
    is_debit boolean NOT NULL,
    amount bigint NOT NULL,
    late_debits bigint NOT NULL,
    late_credits bigint NOT NULL,
    effective_at timestamp with time zone NOT NULL,
    CONSTRAINT dated_back_pkey PRIMARY KEY (account, "position", leg)
);
GRANT INSERT, SELECT ON book_example.dated_back TO ledger_app;

CREATE TABLE book_example.dated_back_blocks (
    account text COLLATE "C" NOT NULL,
    level smallint NOT NULL,
    block bigint NOT NULL,
    effective_at timestamp with time zone NOT NULL,
    "position" bigint NOT NULL,
    leg smallint NOT NULL,
    block_debits bigint NOT NULL,
    block_credits bigint NOT NULL,
    CONSTRAINT dated_back_blocks_pkey PRIMARY KEY (account, level, block, effective_at, "position", leg)
);
GRANT INSERT, SELECT ON book_example.dated_back_blocks TO ledger_app;

CREATE TABLE book_example.disputes (
    dispute text NOT NULL,
    "position" bigint NOT NULL,
    merchant text NOT NULL,
    status text NOT NULL,
    view bytea NOT NULL,
    CONSTRAINT disputes_pkey PRIMARY KEY (dispute)
);
CREATE INDEX disputes_by_merchant ON book_example.disputes USING btree (merchant, "position");
CREATE INDEX disputes_by_position ON book_example.disputes USING btree ("position");
CREATE INDEX disputes_by_status ON book_example.disputes USING btree (status, "position");
GRANT INSERT, SELECT, UPDATE ON book_example.disputes TO ledger_app;

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

CREATE TABLE book_example.hold_expiries (
    hold text COLLATE "C" NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT hold_expiries_pkey PRIMARY KEY (hold)
);
CREATE INDEX hold_expiries_due ON book_example.hold_expiries USING btree (expires_at, hold);
GRANT DELETE, INSERT, SELECT ON book_example.hold_expiries TO ledger_app;

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

CREATE TABLE book_example.letter_wishes (
    merchant text COLLATE "C" NOT NULL,
    CONSTRAINT letter_wishes_pkey PRIMARY KEY (merchant)
);
GRANT DELETE, INSERT, SELECT ON book_example.letter_wishes TO ledger_app;

CREATE TABLE book_example.log_head (
    one boolean DEFAULT true NOT NULL,
    "position" bigint DEFAULT 0 NOT NULL,
    recorded_at timestamp with time zone DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone NOT NULL,
    frontier bytea,
    CONSTRAINT log_head_pkey PRIMARY KEY (one),
    CONSTRAINT log_head_is_one_row CHECK (one)
) WITH (fillfactor=10);
GRANT SELECT, UPDATE ON book_example.log_head TO ledger_app;

CREATE TABLE book_example.merchant_funds (
    merchant text COLLATE "C" NOT NULL,
    currency text COLLATE "C" NOT NULL,
    fund text NOT NULL,
    day date NOT NULL,
    inflow bigint NOT NULL,
    outflow bigint NOT NULL,
    CONSTRAINT merchant_funds_pkey PRIMARY KEY (merchant, currency, fund, day),
    CONSTRAINT merchant_funds_fund CHECK ((fund = ANY (ARRAY['pending'::text, 'reserve'::text]))),
    CONSTRAINT merchant_funds_not_negative CHECK (((inflow >= 0) AND (outflow >= 0)))
);
GRANT INSERT, SELECT, UPDATE ON book_example.merchant_funds TO ledger_app;

CREATE TABLE book_example.merchant_terms (
    merchant text COLLATE "C" NOT NULL,
    settlement_days integer NOT NULL,
    reserve_days integer NOT NULL,
    CONSTRAINT merchant_terms_pkey PRIMARY KEY (merchant)
);
GRANT INSERT, SELECT ON book_example.merchant_terms TO ledger_app;

CREATE TABLE book_example.new_leaves (
    after bigint NOT NULL,
    hashes bytea NOT NULL,
    CONSTRAINT new_leaves_pkey PRIMARY KEY (after),
    CONSTRAINT new_leaves_after CHECK ((after >= 0)),
    CONSTRAINT new_leaves_hashes CHECK (((length(hashes) > 0) AND ((length(hashes) % 32) = 0)))
);
GRANT DELETE, INSERT, SELECT ON book_example.new_leaves TO ledger_app;

CREATE TABLE book_example.one_time_codes (
    payment text COLLATE "C" NOT NULL,
    recipient text NOT NULL,
    code text NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    sent_at timestamp with time zone,
    CONSTRAINT one_time_codes_pkey PRIMARY KEY (payment)
);
GRANT DELETE, INSERT, SELECT, UPDATE ON book_example.one_time_codes TO ledger_app;

CREATE TABLE book_example.order_status (
    payment text COLLATE "C" NOT NULL,
    "position" bigint NOT NULL,
    merchant text COLLATE "C" NOT NULL,
    order_reference text COLLATE "C" NOT NULL,
    status text NOT NULL,
    state bytea NOT NULL,
    expires_at timestamp with time zone,
    CONSTRAINT order_status_pkey PRIMARY KEY (payment)
);
CREATE INDEX order_status_expires_at ON book_example.order_status USING btree (expires_at, payment) WHERE (expires_at IS NOT NULL);
CREATE INDEX order_status_merchant ON book_example.order_status USING btree (merchant, "position");
CREATE INDEX order_status_order_reference ON book_example.order_status USING btree (order_reference, "position");
CREATE UNIQUE INDEX order_status_position ON book_example.order_status USING btree ("position");
CREATE INDEX order_status_status ON book_example.order_status USING btree (status, "position");
GRANT INSERT, SELECT, UPDATE ON book_example.order_status TO ledger_app;

CREATE TABLE book_example.payer_letters (
    subject text COLLATE "C" NOT NULL,
    payment text COLLATE "C" NOT NULL,
    state text DEFAULT 'due'::text NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    next_at timestamp with time zone DEFAULT now() NOT NULL,
    claimed_at timestamp with time zone DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    sent_at timestamp with time zone,
    CONSTRAINT payer_letters_pkey PRIMARY KEY (subject),
    CONSTRAINT payer_letters_state CHECK ((state = ANY (ARRAY['due'::text, 'sent'::text, 'nowhere'::text, 'dead'::text])))
);
CREATE INDEX payer_letters_next_at ON book_example.payer_letters USING btree (next_at) WHERE (state = 'due'::text);
GRANT INSERT, SELECT, UPDATE ON book_example.payer_letters TO ledger_app;

CREATE TABLE book_example.payouts (
    payout text COLLATE "C" NOT NULL,
    "position" bigint NOT NULL,
    source text NOT NULL,
    party text COLLATE "C" NOT NULL,
    status text NOT NULL,
    state bytea NOT NULL,
    CONSTRAINT payouts_pkey PRIMARY KEY (payout)
);
CREATE INDEX payouts_party ON book_example.payouts USING btree (source, party, "position");
CREATE UNIQUE INDEX payouts_position ON book_example.payouts USING btree ("position");
CREATE INDEX payouts_status ON book_example.payouts USING btree (status, "position");
GRANT INSERT, SELECT, UPDATE ON book_example.payouts TO ledger_app;

CREATE TABLE book_example.pending_turnover (
    account text COLLATE "C" NOT NULL,
    "position" bigint NOT NULL,
    pending_debits bigint NOT NULL,
    pending_credits bigint NOT NULL,
    CONSTRAINT pending_turnover_pkey PRIMARY KEY (account, "position"),
    CONSTRAINT pending_turnover_not_negative CHECK (((pending_debits >= 0) AND (pending_credits >= 0)))
);
GRANT INSERT, SELECT ON book_example.pending_turnover TO ledger_app;

CREATE TABLE book_example.postings (
    account text COLLATE "C" NOT NULL,
    "position" bigint NOT NULL,
    leg smallint NOT NULL,
    is_debit boolean NOT NULL,
    amount bigint NOT NULL,
    posted_debits bigint NOT NULL,
    posted_credits bigint NOT NULL,
    effective_at timestamp with time zone NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    CONSTRAINT postings_pkey PRIMARY KEY (account, "position", leg),
    CONSTRAINT postings_amount CHECK ((amount > 0)),
    CONSTRAINT postings_never_in_the_future CHECK ((effective_at <= recorded_at))
);
CREATE INDEX postings_dated_back ON book_example.postings USING btree (account, effective_at, "position", leg) INCLUDE (is_debit, amount) WHERE (effective_at < recorded_at);
CREATE INDEX postings_entries_dated_back ON book_example.postings USING btree (effective_at, "position") WHERE ((effective_at < recorded_at) AND (leg = 0));
GRANT INSERT, SELECT ON book_example.postings TO ledger_app;

CREATE TABLE book_example.process_checkpoints (
    process text COLLATE "C" NOT NULL,
    "position" bigint DEFAULT 0 NOT NULL,
    CONSTRAINT process_checkpoints_pkey PRIMARY KEY (process)
);
GRANT INSERT, SELECT, UPDATE ON book_example.process_checkpoints TO ledger_app;

CREATE TABLE book_example.projection_checkpoints (
    projection text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    "position" bigint DEFAULT 0 NOT NULL,
    generation integer DEFAULT 0 NOT NULL,
    trouble text,
    CONSTRAINT projection_checkpoints_pkey PRIMARY KEY (projection),
    CONSTRAINT projection_checkpoints_position CHECK (("position" >= 0))
) WITH (fillfactor=10);
GRANT INSERT, SELECT, UPDATE ON book_example.projection_checkpoints TO ledger_app;

CREATE TABLE book_example.receivable_flows (
    account text COLLATE "C" NOT NULL,
    "position" bigint NOT NULL,
    item text COLLATE "C" NOT NULL,
    amount bigint NOT NULL,
    CONSTRAINT receivable_flows_pkey PRIMARY KEY (account, "position", item)
);
GRANT INSERT, SELECT ON book_example.receivable_flows TO ledger_app;

CREATE TABLE book_example.receivable_items (
    item text COLLATE "C" NOT NULL,
    stream text COLLATE "C" NOT NULL,
    "position" bigint NOT NULL,
    channel text NOT NULL,
    currency text NOT NULL,
    at timestamp with time zone NOT NULL,
    status text NOT NULL,
    net bigint NOT NULL,
    batch_currency text NOT NULL,
    batch text NOT NULL,
    state bytea NOT NULL,
    CONSTRAINT receivable_items_pkey PRIMARY KEY (item)
);
CREATE INDEX receivable_items_by_batch ON book_example.receivable_items USING btree (channel, batch_currency, batch, "position") WHERE (batch <> ''::text);
CREATE INDEX receivable_items_by_stream ON book_example.receivable_items USING btree (stream);
CREATE INDEX receivable_items_open ON book_example.receivable_items USING btree (channel, currency, at, item) WHERE (status = 'open'::text);
GRANT INSERT, SELECT, UPDATE ON book_example.receivable_items TO ledger_app;

CREATE TABLE book_example.reconciliation_breaks (
    break text COLLATE "C" NOT NULL,
    "position" bigint NOT NULL,
    source text NOT NULL,
    account text NOT NULL,
    type text NOT NULL,
    status text NOT NULL,
    since date NOT NULL,
    currency text NOT NULL,
    at_risk bigint NOT NULL,
    state bytea NOT NULL,
    CONSTRAINT reconciliation_breaks_pkey PRIMARY KEY (break)
);
CREATE INDEX reconciliation_breaks_by_position ON book_example.reconciliation_breaks USING btree ("position");
CREATE INDEX reconciliation_breaks_unresolved ON book_example.reconciliation_breaks USING btree (source, account) WHERE (status <> ALL (ARRAY['resolved'::text, 'written_off'::text, 'auto_resolved'::text]));
GRANT INSERT, SELECT, UPDATE ON book_example.reconciliation_breaks TO ledger_app;

CREATE TABLE book_example.reconciliation_runs (
    run text COLLATE "C" NOT NULL,
    "position" bigint NOT NULL,
    source text NOT NULL,
    account text NOT NULL,
    status text NOT NULL,
    state bytea NOT NULL,
    CONSTRAINT reconciliation_runs_pkey PRIMARY KEY (run)
);
CREATE INDEX reconciliation_runs_by_position ON book_example.reconciliation_runs USING btree ("position");
CREATE INDEX reconciliation_runs_running ON book_example.reconciliation_runs USING btree ("position") WHERE (status = 'running'::text);
GRANT INSERT, SELECT, UPDATE ON book_example.reconciliation_runs TO ledger_app;

CREATE TABLE book_example.report_file_contents (
    sha256 text COLLATE "C" NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    content bytea NOT NULL,
    CONSTRAINT report_file_contents_pkey PRIMARY KEY (sha256)
);
GRANT INSERT, SELECT ON book_example.report_file_contents TO ledger_app;

CREATE TABLE book_example.report_files (
    file text COLLATE "C" NOT NULL,
    "position" bigint NOT NULL,
    source text NOT NULL,
    account text NOT NULL,
    status text NOT NULL,
    view bytea NOT NULL,
    CONSTRAINT report_files_pkey PRIMARY KEY (file)
);
CREATE INDEX report_files_by_position ON book_example.report_files USING btree ("position");
GRANT INSERT, SELECT, UPDATE ON book_example.report_files TO ledger_app;

CREATE TABLE book_example.report_rejections (
    file text COLLATE "C" NOT NULL,
    number integer NOT NULL,
    line integer NOT NULL,
    reason text NOT NULL,
    raw text NOT NULL,
    CONSTRAINT report_rejections_pkey PRIMARY KEY (file, number)
);
GRANT INSERT, SELECT, UPDATE ON book_example.report_rejections TO ledger_app;

CREATE TABLE book_example.report_rows (
    file text COLLATE "C" NOT NULL,
    number integer NOT NULL,
    account text NOT NULL,
    source text NOT NULL,
    fingerprint text COLLATE "C" NOT NULL,
    day date NOT NULL,
    state text NOT NULL,
    told_by text NOT NULL,
    "row" bytea NOT NULL,
    currency text DEFAULT ''::text NOT NULL,
    amount bigint DEFAULT 0 NOT NULL,
    kind text DEFAULT ''::text NOT NULL,
    CONSTRAINT report_rows_pkey PRIMARY KEY (file, number)
);
CREATE INDEX report_rows_by_day ON book_example.report_rows USING btree (day, source, account);
CREATE INDEX report_rows_by_fingerprint ON book_example.report_rows USING btree (fingerprint);
CREATE INDEX report_rows_open ON book_example.report_rows USING btree (source, account) WHERE (state = ANY (ARRAY['open'::text, 'broken'::text, 'suspended'::text]));
GRANT INSERT, SELECT, UPDATE ON book_example.report_rows TO ledger_app;

CREATE TABLE book_example.reviews (
    review text COLLATE "C" NOT NULL,
    "position" bigint NOT NULL,
    payment text COLLATE "C" NOT NULL,
    status text NOT NULL,
    reasons bytea NOT NULL,
    merchant text COLLATE "C" NOT NULL,
    amount bigint NOT NULL,
    currency text NOT NULL,
    after_authorization boolean NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    deadline timestamp with time zone NOT NULL,
    on_deadline text NOT NULL,
    decided_at timestamp with time zone,
    decided_by text NOT NULL,
    note text NOT NULL,
    CONSTRAINT reviews_pkey PRIMARY KEY (review)
);
CREATE INDEX reviews_due ON book_example.reviews USING btree (deadline) WHERE (status = 'open'::text);
CREATE UNIQUE INDEX reviews_position ON book_example.reviews USING btree ("position");
CREATE INDEX reviews_status ON book_example.reviews USING btree (status, "position");
GRANT INSERT, SELECT, UPDATE ON book_example.reviews TO ledger_app;

CREATE TABLE book_example.risk_lists (
    list text NOT NULL,
    type text NOT NULL,
    value text COLLATE "C" NOT NULL,
    reason text NOT NULL,
    author text NOT NULL,
    added_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    "position" bigint NOT NULL,
    CONSTRAINT risk_lists_pkey PRIMARY KEY (list, type, value)
);
CREATE UNIQUE INDEX risk_lists_position ON book_example.risk_lists USING btree ("position");
GRANT DELETE, INSERT, SELECT, UPDATE ON book_example.risk_lists TO ledger_app;

CREATE TABLE book_example.risk_marks (
    kind text NOT NULL,
    key text COLLATE "C" NOT NULL,
    what text NOT NULL,
    at timestamp with time zone NOT NULL,
    "position" bigint NOT NULL,
    nth bigint NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL,
    total numeric NOT NULL,
    CONSTRAINT risk_marks_pkey PRIMARY KEY (kind, key, what, at, "position")
);
CREATE INDEX risk_marks_currency ON book_example.risk_marks USING btree (kind, key, what, currency, at, "position") INCLUDE (total, amount);
GRANT INSERT, SELECT ON book_example.risk_marks TO ledger_app;

CREATE TABLE book_example.risk_payments (
    payment text COLLATE "C" NOT NULL,
    "position" bigint NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL,
    keys bytea NOT NULL,
    is_paid boolean NOT NULL,
    CONSTRAINT risk_payments_pkey PRIMARY KEY (payment)
);
CREATE UNIQUE INDEX risk_payments_position ON book_example.risk_payments USING btree ("position");
GRANT INSERT, SELECT, UPDATE ON book_example.risk_payments TO ledger_app;

CREATE TABLE book_example.risk_places (
    customer text COLLATE "C" NOT NULL,
    at timestamp with time zone NOT NULL,
    "position" bigint NOT NULL,
    country text NOT NULL,
    latitude integer,
    longitude integer,
    CONSTRAINT risk_places_pkey PRIMARY KEY (customer, at, "position")
);
GRANT INSERT, SELECT ON book_example.risk_places TO ledger_app;

CREATE TABLE book_example.schema_migrations (
    name text COLLATE "C" NOT NULL,
    checksum bytea NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (name)
);

CREATE TABLE book_example.sealer (
    one boolean DEFAULT true NOT NULL,
    size bigint DEFAULT 0 NOT NULL,
    CONSTRAINT sealer_pkey PRIMARY KEY (one),
    CONSTRAINT sealer_is_one_row CHECK (one)
) WITH (fillfactor=10);
GRANT SELECT, UPDATE ON book_example.sealer TO ledger_app;

CREATE TABLE book_example.settlement_batch_rows (
    account text COLLATE "C" NOT NULL,
    "position" bigint NOT NULL,
    nth integer NOT NULL,
    role text NOT NULL,
    item text COLLATE "C" NOT NULL,
    file text COLLATE "C" NOT NULL,
    number integer NOT NULL,
    undone bigint DEFAULT 0 NOT NULL,
    state bytea NOT NULL,
    CONSTRAINT settlement_batch_rows_pkey PRIMARY KEY (account, "position", nth)
);
CREATE INDEX settlement_batch_rows_by_role ON book_example.settlement_batch_rows USING btree (account, role, "position", nth) WHERE (undone = 0);
CREATE INDEX settlement_batch_rows_by_row ON book_example.settlement_batch_rows USING btree (account, item, file, number) WHERE (undone = 0);
GRANT INSERT, SELECT, UPDATE ON book_example.settlement_batch_rows TO ledger_app;

CREATE TABLE book_example.settlement_batches (
    account text COLLATE "C" NOT NULL,
    channel text NOT NULL,
    currency text NOT NULL,
    batch text NOT NULL,
    "position" bigint NOT NULL,
    lines bigint NOT NULL,
    gross bigint NOT NULL,
    fee bigint NOT NULL,
    other bigint NOT NULL,
    paid bigint NOT NULL,
    payments bigint NOT NULL,
    borne_by_merchants bigint NOT NULL,
    borne_by_us bigint NOT NULL,
    tolerated bigint NOT NULL,
    fee_difference bigint NOT NULL,
    claimed bigint NOT NULL,
    due bigint NOT NULL,
    CONSTRAINT settlement_batches_pkey PRIMARY KEY (account)
);
CREATE INDEX settlement_batches_by_position ON book_example.settlement_batches USING btree ("position", account);
GRANT INSERT, SELECT, UPDATE ON book_example.settlement_batches TO ledger_app;

CREATE TABLE book_example.sub_ledger_items (
    account text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    currency text NOT NULL,
    "position" bigint NOT NULL,
    amount bigint NOT NULL,
    CONSTRAINT sub_ledger_items_pkey PRIMARY KEY (account, subject)
);
CREATE INDEX sub_ledger_items_open ON book_example.sub_ledger_items USING btree (account) INCLUDE (amount) WHERE (amount <> 0);
GRANT INSERT, SELECT, UPDATE ON book_example.sub_ledger_items TO ledger_app;

CREATE TABLE book_example.subject_keys (
    subject text COLLATE "C" NOT NULL,
    wrapped bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT subject_keys_pkey PRIMARY KEY (subject)
);
GRANT DELETE, INSERT, SELECT ON book_example.subject_keys TO ledger_app;

CREATE TABLE book_example.tiles (
    level smallint NOT NULL,
    index bigint NOT NULL,
    hashes bytea NOT NULL,
    CONSTRAINT tiles_pkey PRIMARY KEY (level, index),
    CONSTRAINT tiles_hashes CHECK (((length(hashes) >= 32) AND (length(hashes) <= 8192) AND ((length(hashes) % 32) = 0))),
    CONSTRAINT tiles_index CHECK ((index >= 0)),
    CONSTRAINT tiles_level CHECK (((level >= 0) AND (level <= 7)))
) WITH (fillfactor=100);
GRANT INSERT, SELECT, UPDATE ON book_example.tiles TO ledger_app;

CREATE TABLE book_example.webhook_deliveries (
    endpoint text COLLATE "C" NOT NULL,
    "position" bigint NOT NULL,
    stream text COLLATE "C" NOT NULL,
    topic text NOT NULL,
    state text DEFAULT 'due'::text NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    next_at timestamp with time zone DEFAULT now() NOT NULL,
    claimed_at timestamp with time zone DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    delivered_at timestamp with time zone,
    attempts jsonb DEFAULT '[]'::jsonb NOT NULL,
    CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (endpoint, "position"),
    CONSTRAINT webhook_deliveries_state CHECK ((state = ANY (ARRAY['due'::text, 'delivered'::text, 'dead'::text])))
) WITH (fillfactor=80);
CREATE INDEX webhook_deliveries_next_at ON book_example.webhook_deliveries USING btree (next_at) WHERE (state = 'due'::text);
CREATE INDEX webhook_deliveries_order ON book_example.webhook_deliveries USING btree (endpoint, stream, "position") WHERE (state = 'due'::text);
GRANT INSERT, SELECT, UPDATE ON book_example.webhook_deliveries TO ledger_app;

CREATE TABLE book_example.webhook_endpoints (
    id text COLLATE "C" NOT NULL,
    url text NOT NULL,
    topics text[] NOT NULL,
    ordered boolean NOT NULL,
    enabled boolean NOT NULL,
    generation integer DEFAULT 1 NOT NULL,
    rotated_at timestamp with time zone,
    headers jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT webhook_endpoints_pkey PRIMARY KEY (id)
);
GRANT INSERT, SELECT, UPDATE ON book_example.webhook_endpoints TO ledger_app;

ALTER TABLE book_example.cosignatures ADD CONSTRAINT cosignatures_checkpoint FOREIGN KEY (size) REFERENCES book_example.checkpoints(size);
