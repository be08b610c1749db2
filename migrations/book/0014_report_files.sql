-- Report files: as they came, and the rows that were read from them.

CREATE TABLE report_file_contents (
    sha256      text COLLATE "C" NOT NULL,
    received_at timestamptz      NOT NULL DEFAULT now(),
    content     bytea            NOT NULL,
    CONSTRAINT report_file_contents_pkey PRIMARY KEY (sha256)
);
-- Mostly packed already, or packed by the reader of it: stored as it is, and read in pieces.
ALTER TABLE report_file_contents ALTER COLUMN content SET STORAGE EXTERNAL;

-- Views, filled from the log and to be rebuilt from it. A row counts once its file was read to its end.
CREATE TABLE report_files (
    file     text COLLATE "C" PRIMARY KEY,
    position bigint           NOT NULL,
    source   text             NOT NULL,
    account  text             NOT NULL,
    status   text             NOT NULL,
    view     bytea            NOT NULL
);
CREATE INDEX report_files_by_position ON report_files (position);

CREATE TABLE report_rows (
    file        text COLLATE "C" NOT NULL,
    number      integer          NOT NULL,
    account     text             NOT NULL,
    source      text             NOT NULL,
    fingerprint text COLLATE "C" NOT NULL,
    -- The day of it, as the report counts days.
    day         date             NOT NULL,
    -- open, broken, suspended: still looked at by every run. matched, duplicate, announced (the bank has not booked it).
    state       text             NOT NULL,
    -- What it was matched to or broken by, or which row it repeats.
    told_by     text             NOT NULL,
    row         bytea            NOT NULL,
    PRIMARY KEY (file, number)
);
CREATE INDEX report_rows_open ON report_rows (source, account) WHERE state IN ('open', 'broken', 'suspended');
CREATE INDEX report_rows_by_day ON report_rows (source, account, day);
CREATE INDEX report_rows_by_fingerprint ON report_rows (fingerprint);

CREATE TABLE report_rejections (
    file   text COLLATE "C" NOT NULL,
    number integer          NOT NULL,
    line   integer          NOT NULL,
    reason text             NOT NULL,
    raw    text             NOT NULL,
    PRIMARY KEY (file, number)
);

CREATE TABLE reconciliation_runs (
    run      text COLLATE "C" PRIMARY KEY,
    position bigint           NOT NULL,
    source   text             NOT NULL,
    account  text             NOT NULL,
    status   text             NOT NULL,
    state    bytea            NOT NULL
);
CREATE INDEX reconciliation_runs_by_position ON reconciliation_runs (position);
CREATE INDEX reconciliation_runs_running ON reconciliation_runs (position) WHERE status = 'running';

CREATE TABLE reconciliation_breaks (
    break    text COLLATE "C" PRIMARY KEY,
    position bigint           NOT NULL,
    source   text             NOT NULL,
    account  text             NOT NULL,
    type     text             NOT NULL,
    status   text             NOT NULL,
    since    date             NOT NULL,
    currency text             NOT NULL,
    at_risk  bigint           NOT NULL,
    state    bytea            NOT NULL
);
CREATE INDEX reconciliation_breaks_by_position ON reconciliation_breaks (position);
CREATE INDEX reconciliation_breaks_unresolved ON reconciliation_breaks (source, account)
 WHERE status NOT IN ('resolved', 'written_off', 'auto_resolved');
