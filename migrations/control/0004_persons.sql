-- Whose hands a key is in: two keys of one person are one person where a second one has to agree. Never changed.

ALTER TABLE api_keys ADD COLUMN person text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE api_keys ADD CONSTRAINT api_keys_person CHECK (person = '' OR person ~ '^[a-z0-9][a-z0-9._@+-]{0,63}$');
