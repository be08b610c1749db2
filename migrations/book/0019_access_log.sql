-- Who read what among the sensitive queries: ids and the words of the request, nothing that was read. Kept beside the
-- log and not in it: it is no fact of the books, and is deleted after its own time by the owner alone.

CREATE TABLE access_log (
    -- Sorts by time, and is known before the row is written: a row that is written twice is one.
    id          text COLLATE "C" PRIMARY KEY,
    at          timestamptz      NOT NULL,
    key         text COLLATE "C" NOT NULL,
    -- Whose key it was, where that is known.
    person      text COLLATE "C",
    route       text             NOT NULL,
    -- What the request named: a customer, a payment, an account.
    entities    text[]           NOT NULL,
    parameters  jsonb            NOT NULL,
    correlation text             NOT NULL,
    status      smallint         NOT NULL
);
CREATE INDEX access_log_key ON access_log (key, id);
CREATE INDEX access_log_entities ON access_log USING gin (entities);
