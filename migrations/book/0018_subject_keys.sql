-- The keys that personal values are sealed with, one for each person or order they are about, wrapped by a key that only
-- the installation has. Beside the log and not in it: whoever deletes a row here has erased what it opens everywhere.

CREATE TABLE subject_keys (
    subject    text COLLATE "C" PRIMARY KEY,
    wrapped    bytea            NOT NULL,
    created_at timestamptz      NOT NULL DEFAULT now()
);
