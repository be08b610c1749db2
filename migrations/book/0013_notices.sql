-- What an endpoint wants to find on every message to it, by name; the values are sealed.
ALTER TABLE webhook_endpoints ADD COLUMN headers jsonb NOT NULL DEFAULT '{}';

INSERT INTO process_checkpoints (process) VALUES ('payer_letters');

-- The merchants whose payers are written to, as the follower of the log has read it.
CREATE TABLE letter_wishes (
    merchant text COLLATE "C" NOT NULL,
    CONSTRAINT letter_wishes_pkey PRIMARY KEY (merchant)
);

-- One row for each payment and each refund that its payer is told of; it stays, so that nobody is told twice. It names
-- nobody and says nothing: whom it goes to and what it says is looked up when it is sent.
--   due      to be sent at `next_at`, for the first time or again
--   sent     the mail server took it
--   nowhere  its payer has no address
--   dead     given up after the last try
CREATE TABLE payer_letters (
    subject    text COLLATE "C" NOT NULL,
    payment    text COLLATE "C" NOT NULL,
    state      text             NOT NULL DEFAULT 'due',
    tries      integer          NOT NULL DEFAULT 0,
    next_at    timestamptz      NOT NULL DEFAULT now(),
    claimed_at timestamptz      NOT NULL DEFAULT 'epoch',
    created_at timestamptz      NOT NULL DEFAULT now(),
    sent_at    timestamptz,
    CONSTRAINT payer_letters_pkey PRIMARY KEY (subject),
    CONSTRAINT payer_letters_state CHECK (state IN ('due', 'sent', 'nowhere', 'dead'))
);

CREATE INDEX payer_letters_next_at ON payer_letters (next_at) WHERE state = 'due';
