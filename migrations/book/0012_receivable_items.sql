-- What the receivable of each channel is made of, and what settled it; and what the statements of our banks are to show.
-- Both are filled from the log and can be rebuilt from it.

CREATE TABLE receivable_items (
    item           text COLLATE "C" PRIMARY KEY,
    stream         text COLLATE "C" NOT NULL,
    position       bigint           NOT NULL,
    channel        text             NOT NULL,
    currency       text             NOT NULL,
    at             timestamptz      NOT NULL,
    -- open, settled, or offset against another one.
    status         text             NOT NULL,
    -- What it adds to the receivable while it is open, in minor units.
    net            bigint           NOT NULL,
    -- In which it was settled, and the currency in which that is paid; empty while it is open.
    batch_currency text             NOT NULL,
    batch          text             NOT NULL,
    state          bytea            NOT NULL
);
CREATE INDEX receivable_items_by_stream ON receivable_items (stream);
CREATE INDEX receivable_items_open ON receivable_items (channel, currency, at, item) WHERE status = 'open';
CREATE INDEX receivable_items_by_batch ON receivable_items (channel, batch_currency, batch, position) WHERE batch <> '';

CREATE TABLE bank_expectations (
    expectation text COLLATE "C" PRIMARY KEY,
    position    bigint           NOT NULL,
    currency    text             NOT NULL,
    at          timestamptz      NOT NULL,
    is_open     boolean          NOT NULL,
    state       bytea            NOT NULL
);
CREATE INDEX bank_expectations_open ON bank_expectations (currency, at, expectation) WHERE is_open;
