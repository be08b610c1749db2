-- What disputes a merchant has, and how they stand: filled from the log and can be rebuilt from it.

CREATE TABLE disputes (
    dispute  text   PRIMARY KEY,
    position bigint NOT NULL,
    merchant text   NOT NULL,
    status   text   NOT NULL,
    view     bytea  NOT NULL
);
CREATE INDEX disputes_by_position ON disputes (position);
CREATE INDEX disputes_by_merchant ON disputes (merchant, position);
CREATE INDEX disputes_by_status ON disputes (status, position);
