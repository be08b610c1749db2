-- Every message of a channel that was really the channel's, as it came: what we made of it can always be made again.

CREATE TABLE channel_callbacks (
    channel     text             NOT NULL,
    event_id    text COLLATE "C" NOT NULL,
    received_at timestamptz      NOT NULL DEFAULT now(),
    headers     jsonb            NOT NULL,
    body        bytea            NOT NULL,
    subject     text             NOT NULL,
    -- Which book it is about; null while no book knows its subject.
    book        text COLLATE "C",
    -- taken: it had its effect, or was known. ignored: it is about nothing of ours. null: not answered for yet.
    effect      text,
    CONSTRAINT channel_callbacks_pkey PRIMARY KEY (channel, event_id),
    CONSTRAINT channel_callbacks_effect CHECK (effect IN ('taken', 'ignored'))
);

CREATE INDEX channel_callbacks_open ON channel_callbacks (received_at) WHERE effect IS DISTINCT FROM 'taken';
