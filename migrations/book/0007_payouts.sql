-- Money that goes out: payouts as they stand, and what merchants are owed by the day on which it came in.

-- One row per payout; `state` is the fold of its stream, as JSON.
CREATE TABLE payouts (
    payout   text COLLATE "C" NOT NULL,
    position bigint           NOT NULL,
    source   text             NOT NULL,
    party    text COLLATE "C" NOT NULL,
    status   text             NOT NULL,
    state    bytea            NOT NULL,
    CONSTRAINT payouts_pkey PRIMARY KEY (payout)
);
CREATE UNIQUE INDEX payouts_position ON payouts (position);
CREATE INDEX payouts_party ON payouts (source, party, position);
CREATE INDEX payouts_status ON payouts (status, position);

-- What came in and went out of a merchant's pending sales and of its reserve on each day (UTC). What went out is taken
-- from what came in first, so that what is due is what came in up to a day, less all that went out.
CREATE TABLE merchant_funds (
    merchant text COLLATE "C" NOT NULL,
    currency text COLLATE "C" NOT NULL,
    fund     text             NOT NULL,
    day      date             NOT NULL,
    inflow   bigint           NOT NULL,
    outflow  bigint           NOT NULL,
    CONSTRAINT merchant_funds_pkey PRIMARY KEY (merchant, currency, fund, day),
    CONSTRAINT merchant_funds_fund CHECK (fund IN ('pending', 'reserve')),
    CONSTRAINT merchant_funds_not_negative CHECK (inflow >= 0 AND outflow >= 0)
);

-- How many days each of them waits.
CREATE TABLE merchant_terms (
    merchant        text COLLATE "C" NOT NULL,
    settlement_days integer          NOT NULL,
    reserve_days    integer          NOT NULL,
    CONSTRAINT merchant_terms_pkey PRIMARY KEY (merchant)
);
