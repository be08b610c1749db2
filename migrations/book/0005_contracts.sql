-- Contracts and bound cards, and what falls due by the clock because of them.

-- One row per contract or bound card (no merchant); `state` is the fold of its stream without its charges, as JSON.
CREATE TABLE contracts (
    contract text COLLATE "C" NOT NULL,
    position bigint           NOT NULL,
    customer text COLLATE "C" NOT NULL,
    merchant text COLLATE "C",
    status   text             NOT NULL,
    state    bytea            NOT NULL,
    CONSTRAINT contracts_pkey PRIMARY KEY (contract)
);
CREATE UNIQUE INDEX contracts_position ON contracts (position);
CREATE INDEX contracts_customer ON contracts (customer, position);
CREATE INDEX contracts_merchant ON contracts (merchant, position);
CREATE INDEX contracts_status ON contracts (status, position);

-- A contract whose time runs out, or a payment whose time comes.
CREATE TABLE contract_dues (
    subject text COLLATE "C" NOT NULL,
    due_at  timestamptz      NOT NULL,
    CONSTRAINT contract_dues_pkey PRIMARY KEY (subject)
);
CREATE INDEX contract_dues_due ON contract_dues (due_at, subject);
