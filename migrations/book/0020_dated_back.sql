-- What was dated back, once more, so that a balance of any time is a few looks also where an account has a million of it.

-- One row per posting that took effect before it was recorded: the account's how-manieth it is in the order of
-- positions, and what all of them up to it come to.
CREATE TABLE dated_back (
    account      text COLLATE "C" NOT NULL,
    position     bigint           NOT NULL,
    leg          smallint         NOT NULL,
    number       bigint           NOT NULL,
    is_debit     boolean          NOT NULL,
    amount       bigint           NOT NULL,
    late_debits  bigint           NOT NULL,
    late_credits bigint           NOT NULL,
    effective_at timestamptz      NOT NULL,
    CONSTRAINT dated_back_pkey PRIMARY KEY (account, position, leg)
);

-- The same in blocks that are sorted by effect: at level 1 of 64 rows, at each further level of 16 blocks of the one
-- below. A row's sums are those of its block up to it.
CREATE TABLE dated_back_blocks (
    account       text COLLATE "C" NOT NULL,
    level         smallint         NOT NULL,
    block         bigint           NOT NULL,
    effective_at  timestamptz      NOT NULL,
    position      bigint           NOT NULL,
    leg           smallint         NOT NULL,
    block_debits  bigint           NOT NULL,
    block_credits bigint           NOT NULL,
    CONSTRAINT dated_back_blocks_pkey PRIMARY KEY (account, level, block, effective_at, position, leg)
);
