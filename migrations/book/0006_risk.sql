-- What risk control remembers of the log: how often and how much lately, where payers were, who stands on which list,
-- which reviews are open. All of it is written by projections, except the codes that wait to be sent.

-- One row per counted event and key, with the running count and sum: what lies in a window is the difference of two.
CREATE TABLE risk_marks (
    kind     text             NOT NULL,
    key      text COLLATE "C" NOT NULL,
    what     text             NOT NULL,
    at       timestamptz      NOT NULL,
    position bigint           NOT NULL,
    nth      bigint           NOT NULL,
    currency text             NOT NULL,
    amount   bigint           NOT NULL,
    -- The sum of this currency up to here.
    total    numeric          NOT NULL,
    CONSTRAINT risk_marks_pkey PRIMARY KEY (kind, key, what, at, position)
);
CREATE INDEX risk_marks_currency ON risk_marks (kind, key, what, currency, at, position) INCLUDE (total, amount);

-- One row per payment: by which keys its later events are counted.
CREATE TABLE risk_payments (
    payment  text COLLATE "C" NOT NULL,
    position bigint           NOT NULL,
    currency text             NOT NULL,
    amount   bigint           NOT NULL,
    keys     bytea            NOT NULL,
    is_paid  boolean          NOT NULL,
    CONSTRAINT risk_payments_pkey PRIMARY KEY (payment)
);
CREATE UNIQUE INDEX risk_payments_position ON risk_payments (position);

-- Where each customer paid from, where that was told. Millionths of a degree.
CREATE TABLE risk_places (
    customer  text COLLATE "C" NOT NULL,
    at        timestamptz      NOT NULL,
    position  bigint           NOT NULL,
    country   text             NOT NULL,
    latitude  integer,
    longitude integer,
    CONSTRAINT risk_places_pkey PRIMARY KEY (customer, at, position)
);

-- Who stands on which list; what has expired stays until it is taken off.
CREATE TABLE risk_lists (
    list       text             NOT NULL,
    type       text             NOT NULL,
    value      text COLLATE "C" NOT NULL,
    reason     text             NOT NULL,
    author     text             NOT NULL,
    added_at   timestamptz      NOT NULL,
    expires_at timestamptz,
    position   bigint           NOT NULL,
    CONSTRAINT risk_lists_pkey PRIMARY KEY (list, type, value)
);
CREATE UNIQUE INDEX risk_lists_position ON risk_lists (position);

-- One row per review, and what became of it.
CREATE TABLE reviews (
    review              text COLLATE "C" NOT NULL,
    position            bigint           NOT NULL,
    payment             text COLLATE "C" NOT NULL,
    status              text             NOT NULL,
    reasons             bytea            NOT NULL,
    merchant            text COLLATE "C" NOT NULL,
    amount              bigint           NOT NULL,
    currency            text             NOT NULL,
    after_authorization boolean          NOT NULL,
    opened_at           timestamptz      NOT NULL,
    deadline            timestamptz      NOT NULL,
    on_deadline         text             NOT NULL,
    decided_at          timestamptz,
    decided_by          text             NOT NULL,
    note                text             NOT NULL,
    CONSTRAINT reviews_pkey PRIMARY KEY (review)
);
CREATE UNIQUE INDEX reviews_position ON reviews (position);
CREATE INDEX reviews_status ON reviews (status, position);
CREATE INDEX reviews_due ON reviews (deadline) WHERE status = 'open';

-- Codes to be sent to payers, one for each payment. No projection: whoever sends one blots it out and says when.
CREATE TABLE one_time_codes (
    payment    text COLLATE "C" NOT NULL,
    recipient  text             NOT NULL,
    code       text             NOT NULL,
    expires_at timestamptz      NOT NULL,
    sent_at    timestamptz,
    CONSTRAINT one_time_codes_pkey PRIMARY KEY (payment)
);
