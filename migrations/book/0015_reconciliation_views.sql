-- What the views of reconciliation are read from: filled from the log, and to be rebuilt from it.

-- What a row is about in money, so that days can be summed up without reading every row.
ALTER TABLE report_rows
    ADD COLUMN currency text   NOT NULL DEFAULT '',
    ADD COLUMN amount   bigint NOT NULL DEFAULT 0,
    ADD COLUMN kind     text   NOT NULL DEFAULT '';
DROP INDEX report_rows_by_day;
CREATE INDEX report_rows_by_day ON report_rows (day, source, account);

-- Single-entry: what each event did to the open items of a channel's receivable.
CREATE TABLE receivable_flows (
    account  text COLLATE "C" NOT NULL,
    position bigint           NOT NULL,
    item     text COLLATE "C" NOT NULL,
    -- What the item adds to the receivable after it, less what it added before, in minor units.
    amount   bigint           NOT NULL,
    CONSTRAINT receivable_flows_pkey PRIMARY KEY (account, position, item)
);

-- One row per batch of a channel, and one for what was settled without one; by the account that it stands on.
CREATE TABLE settlement_batches (
    account              text COLLATE "C" NOT NULL,
    channel              text             NOT NULL,
    currency             text             NOT NULL,
    batch                text             NOT NULL,
    position             bigint           NOT NULL,
    lines                bigint           NOT NULL,
    gross                bigint           NOT NULL,
    fee                  bigint           NOT NULL,
    other                bigint           NOT NULL,
    paid                 bigint           NOT NULL,
    payments             bigint           NOT NULL,
    borne_by_merchants   bigint           NOT NULL,
    borne_by_us          bigint           NOT NULL,
    tolerated            bigint           NOT NULL,
    fee_difference       bigint           NOT NULL,
    claimed              bigint           NOT NULL,
    -- What is still to be paid: gross - fee + other - paid.
    due                  bigint           NOT NULL,
    CONSTRAINT settlement_batches_pkey PRIMARY KEY (account)
);
CREATE INDEX settlement_batches_by_position ON settlement_batches (position, account);

-- What moved a batch, by event: lines and rows of reports, lines of banks, and what people posted.
CREATE TABLE settlement_batch_rows (
    account  text COLLATE "C" NOT NULL,
    position bigint           NOT NULL,
    nth      integer          NOT NULL,
    role     text             NOT NULL,
    item     text COLLATE "C" NOT NULL,
    file     text COLLATE "C" NOT NULL,
    number   integer          NOT NULL,
    -- The position at which it was taken back; 0 while it stands.
    undone   bigint           NOT NULL DEFAULT 0,
    state    bytea            NOT NULL,
    CONSTRAINT settlement_batch_rows_pkey PRIMARY KEY (account, position, nth)
);
CREATE INDEX settlement_batch_rows_by_role ON settlement_batch_rows (account, role, position, nth) WHERE undone = 0;
CREATE INDEX settlement_batch_rows_by_row ON settlement_batch_rows (account, item, file, number) WHERE undone = 0;

-- Single-entry sub-ledgers of control accounts: what is open of each refund, payout, frozen sum and dispute.
CREATE TABLE sub_ledger_items (
    account  text COLLATE "C" NOT NULL,
    subject  text COLLATE "C" NOT NULL,
    currency text             NOT NULL,
    position bigint           NOT NULL,
    amount   bigint           NOT NULL,
    CONSTRAINT sub_ledger_items_pkey PRIMARY KEY (account, subject)
);
CREATE INDEX sub_ledger_items_open ON sub_ledger_items (account) INCLUDE (amount) WHERE amount <> 0;
