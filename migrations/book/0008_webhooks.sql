-- Who wants to hear of which events, and each message that is owed to them.

INSERT INTO process_checkpoints (process) VALUES ('webhooks');

-- The endpoints as the follower of the log has read them: what it needs to know before it reads on.
CREATE TABLE webhook_endpoints (
    id         text COLLATE "C" NOT NULL,
    url        text             NOT NULL,
    topics     text[]           NOT NULL,
    ordered    boolean          NOT NULL,
    enabled    boolean          NOT NULL,
    generation integer          NOT NULL DEFAULT 1,
    rotated_at timestamptz,
    CONSTRAINT webhook_endpoints_pkey PRIMARY KEY (id)
);

-- One row for each event that an endpoint hears of.
--   due        to be sent at `next_at`, for the first time or again
--   delivered  answered with 2xx
--   dead       given up: after the last try, or because its endpoint was disabled; it may be sent again by hand
CREATE TABLE webhook_deliveries (
    endpoint     text COLLATE "C" NOT NULL,
    position     bigint           NOT NULL,
    stream       text COLLATE "C" NOT NULL,
    topic        text             NOT NULL,
    state        text             NOT NULL DEFAULT 'due',
    tries        integer          NOT NULL DEFAULT 0,
    next_at      timestamptz      NOT NULL DEFAULT now(),
    claimed_at   timestamptz      NOT NULL DEFAULT 'epoch',
    created_at   timestamptz      NOT NULL DEFAULT now(),
    delivered_at timestamptz,
    attempts     jsonb            NOT NULL DEFAULT '[]',
    CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (endpoint, position),
    CONSTRAINT webhook_deliveries_state CHECK (state IN ('due', 'delivered', 'dead'))
) WITH (fillfactor = 80);

CREATE INDEX webhook_deliveries_next_at ON webhook_deliveries (next_at) WHERE state = 'due';
CREATE INDEX webhook_deliveries_order ON webhook_deliveries (endpoint, stream, position) WHERE state = 'due';
