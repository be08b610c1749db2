-- The log under seal: a tree of hashes over it (RFC 6962), in tiles, and the signed checkpoints that tell its root.

-- The roots of the perfect subtrees over the whole log, largest first; null until a writer has reckoned them.
ALTER TABLE log_head ADD COLUMN frontier bytea;

-- The hashes of the leaves behind a position, one row for each batch, until they stand in tiles.
CREATE TABLE new_leaves (
    after  bigint NOT NULL,
    hashes bytea  NOT NULL,
    CONSTRAINT new_leaves_pkey PRIMARY KEY (after),
    CONSTRAINT new_leaves_after CHECK (after >= 0),
    CONSTRAINT new_leaves_hashes CHECK (length(hashes) > 0 AND length(hashes) % 32 = 0)
);

-- C2SP tlog-tiles: up to 256 hashes of 32 bytes. A whole one never changes; the last of each level grows.
CREATE TABLE tiles (
    level  smallint NOT NULL,
    index  bigint   NOT NULL,
    hashes bytea    NOT NULL,
    CONSTRAINT tiles_pkey PRIMARY KEY (level, index),
    CONSTRAINT tiles_level CHECK (level BETWEEN 0 AND 7),
    CONSTRAINT tiles_index CHECK (index >= 0),
    CONSTRAINT tiles_hashes CHECK (length(hashes) >= 32 AND length(hashes) <= 8192 AND length(hashes) % 32 = 0)
) WITH (fillfactor = 100);

-- C2SP tlog-checkpoint in a signed note, and the public keys of ours that signed it.
CREATE TABLE checkpoints (
    size      bigint      NOT NULL,
    note      bytea       NOT NULL,
    keys      text[]      NOT NULL,
    signed_at timestamptz NOT NULL,
    CONSTRAINT checkpoints_pkey PRIMARY KEY (size),
    CONSTRAINT checkpoints_size CHECK (size >= 0)
);

-- What witnesses signed under a checkpoint: a line of the note for each.
CREATE TABLE cosignatures (
    size        bigint           NOT NULL,
    name        text COLLATE "C" NOT NULL,
    line        text             NOT NULL,
    received_at timestamptz      NOT NULL,
    CONSTRAINT cosignatures_pkey PRIMARY KEY (size, name),
    CONSTRAINT cosignatures_checkpoint FOREIGN KEY (size) REFERENCES checkpoints (size)
);

-- One row: how far the tiles reach. Whoever seals locks it: one at a time, and another may be ready to go on.
CREATE TABLE sealer (
    one  boolean NOT NULL DEFAULT true,
    size bigint  NOT NULL DEFAULT 0,
    CONSTRAINT sealer_pkey PRIMARY KEY (one),
    CONSTRAINT sealer_is_one_row CHECK (one)
) WITH (fillfactor = 10);

INSERT INTO sealer DEFAULT VALUES;
