-- What all books share: which books there are, and who may speak for them.

CREATE TABLE books (
    name       text COLLATE "C" NOT NULL,
    created_at timestamptz      NOT NULL DEFAULT now(),
    CONSTRAINT books_pkey PRIMARY KEY (name),
    CONSTRAINT books_name CHECK (name ~ '^[a-z][a-z0-9_]{0,30}$')
);

-- A key is shown once and kept as a hash only.
CREATE TABLE api_keys (
    id         text COLLATE "C" NOT NULL,
    book       text COLLATE "C" NOT NULL,
    name       text             NOT NULL,
    key_hash   bytea            NOT NULL,
    scopes     text[]           NOT NULL,
    created_at timestamptz      NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    expires_at timestamptz,
    CONSTRAINT api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT api_keys_key_hash UNIQUE (key_hash),
    CONSTRAINT api_keys_book FOREIGN KEY (book) REFERENCES books (name)
);
