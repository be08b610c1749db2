-- What process managers have read of the log, and the calls to channels that it set in motion.

CREATE TABLE process_checkpoints (
    process  text COLLATE "C" NOT NULL,
    position bigint           NOT NULL DEFAULT 0,
    CONSTRAINT process_checkpoints_pkey PRIMARY KEY (process)
);

INSERT INTO process_checkpoints (process) VALUES ('channel_calls');

-- One row for each charge and refund that a channel is asked for, under the id that the channel knows it by.
--   due    it was never sent, or the channel has said often enough that it never came
--   sent   it may have come: from here on the channel is asked what became of it
--   done   what became of it is in the log
CREATE TABLE channel_calls (
    id            text COLLATE "C" NOT NULL,
    kind          text             NOT NULL,
    subject       text COLLATE "C" NOT NULL,
    channel       text             NOT NULL,
    request       bytea            NOT NULL,
    correlation   text             NOT NULL,
    causation     text             NOT NULL,
    state         text             NOT NULL DEFAULT 'due',
    sends         integer          NOT NULL DEFAULT 0,
    tries         integer          NOT NULL DEFAULT 0,
    not_found     integer          NOT NULL DEFAULT 0,
    next_at       timestamptz      NOT NULL DEFAULT now(),
    claimed_at    timestamptz      NOT NULL DEFAULT 'epoch',
    claimed_until timestamptz      NOT NULL DEFAULT 'epoch',
    last_answer   text,
    CONSTRAINT channel_calls_pkey PRIMARY KEY (id),
    CONSTRAINT channel_calls_kind CHECK (kind IN ('charge', 'refund', 'top_up')),
    CONSTRAINT channel_calls_state CHECK (state IN ('due', 'sent', 'done'))
) WITH (fillfactor = 70);

CREATE INDEX channel_calls_next_at ON channel_calls (next_at) WHERE state <> 'done';
CREATE INDEX channel_calls_subject ON channel_calls (subject) WHERE state <> 'done';
