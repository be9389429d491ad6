-- Ids are UUIDs as 16 bytes, times are milliseconds since the Unix epoch, durations in
-- configuration are seconds, as in API.md.

CREATE TABLE organization (
    id         BLOB PRIMARY KEY,
    name       TEXT NOT NULL,
    timezone   TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE user (
    id            BLOB PRIMARY KEY,
    email         TEXT NOT NULL UNIQUE COLLATE NOCASE,
    -- A PHC string; none where nobody has set a password yet.
    password_hash TEXT,
    created_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE membership (
    org_id  BLOB NOT NULL REFERENCES organization (id),
    user_id BLOB NOT NULL REFERENCES user (id),
    role    TEXT NOT NULL,
    PRIMARY KEY (org_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE api_key (
    id           BLOB PRIMARY KEY,
    org_id       BLOB NOT NULL REFERENCES organization (id),
    user_id      BLOB NOT NULL REFERENCES user (id),
    name         TEXT NOT NULL,
    prefix       TEXT NOT NULL,
    -- SHA-256 of the key, which is random and long enough to need no slow hash.
    hash         BLOB NOT NULL UNIQUE,
    -- Separated by spaces.
    scopes       TEXT NOT NULL,
    created_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE project (
    id          BLOB PRIMARY KEY,
    org_id      BLOB NOT NULL REFERENCES organization (id),
    name        TEXT NOT NULL COLLATE NOCASE,
    slug        TEXT NOT NULL,
    description TEXT,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    archived_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX project_slug ON project (org_id, slug) WHERE archived_at IS NULL;
CREATE UNIQUE INDEX project_name ON project (org_id, name) WHERE archived_at IS NULL;

CREATE TABLE check_ (
    row                 INTEGER PRIMARY KEY,
    id                  BLOB NOT NULL UNIQUE,
    public_id           BLOB NOT NULL UNIQUE,
    org_id              BLOB NOT NULL REFERENCES organization (id),
    project_id          BLOB NOT NULL REFERENCES project (id),
    -- What a person decided.
    name                TEXT NOT NULL,
    slug                TEXT NOT NULL,
    description         TEXT,
    tags                TEXT NOT NULL,
    period_seconds      INTEGER NOT NULL,
    grace_seconds       INTEGER NOT NULL,
    max_runtime_seconds INTEGER,
    miss_threshold      INTEGER NOT NULL,
    fail_threshold      INTEGER NOT NULL,
    created_at          INTEGER NOT NULL,
    updated_at          INTEGER NOT NULL,
    -- What the engine knows.
    status              TEXT NOT NULL,
    status_since        INTEGER NOT NULL,
    expected_at         INTEGER,
    failures            INTEGER NOT NULL,
    alerted             TEXT,
    -- JSON arrays.
    runs                TEXT NOT NULL,
    ended_runs          TEXT NOT NULL,
    last_ping_at        INTEGER,
    last_end_at         INTEGER,
    last_start_at       INTEGER,
    last_duration_ms    INTEGER,
    -- A deleted check is gone for everyone; its history is pruned later, not all at once.
    deleted_at          INTEGER
) STRICT;
CREATE UNIQUE INDEX check_slug ON check_ (project_id, slug) WHERE deleted_at IS NULL;
CREATE INDEX check_org ON check_ (org_id) WHERE deleted_at IS NULL;

CREATE TABLE ping (
    row         INTEGER PRIMARY KEY,
    check_row   INTEGER NOT NULL REFERENCES check_ (row),
    kind        TEXT NOT NULL,
    exit_code   INTEGER,
    -- When it happened, by the sender's account, and when it arrived.
    created_at  INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    duration_ms INTEGER,
    run_id      TEXT,
    source_ip   TEXT,
    user_agent  TEXT,
    cpu_ms      INTEGER,
    max_rss_kb  INTEGER,
    body        BLOB
) STRICT;
CREATE INDEX ping_check ON ping (check_row, created_at, row);

-- The keys of pings that were counted, so that none is counted twice. Rows are in the order of
-- their arrival, which is how they are forgotten.
CREATE TABLE idempotency (
    row         INTEGER PRIMARY KEY,
    check_row   INTEGER NOT NULL REFERENCES check_ (row),
    key         TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    UNIQUE (check_row, key)
) STRICT;

CREATE TABLE channel (
    row        INTEGER PRIMARY KEY,
    id         BLOB NOT NULL UNIQUE,
    org_id     BLOB NOT NULL REFERENCES organization (id),
    project_id BLOB REFERENCES project (id),
    kind       TEXT NOT NULL,
    name       TEXT NOT NULL COLLATE NOCASE,
    target     TEXT NOT NULL,
    secret     TEXT,
    created_at INTEGER NOT NULL,
    UNIQUE (org_id, name)
) STRICT;

-- The outbox: an alert, and its delivery to each channel that was to hear of it.
CREATE TABLE alert (
    row          INTEGER PRIMARY KEY,
    id           BLOB NOT NULL UNIQUE,
    check_row    INTEGER NOT NULL REFERENCES check_ (row),
    event        TEXT NOT NULL,
    triggered_at INTEGER NOT NULL,
    -- The body of a webhook delivery; every channel makes its message from it.
    payload      TEXT NOT NULL
) STRICT;
CREATE INDEX alert_check ON alert (check_row);

CREATE TABLE delivery (
    row             INTEGER PRIMARY KEY,
    alert_row       INTEGER NOT NULL REFERENCES alert (row),
    channel_row     INTEGER NOT NULL REFERENCES channel (row),
    check_row       INTEGER NOT NULL REFERENCES check_ (row),
    -- pending, delivered or failed.
    state           TEXT NOT NULL,
    attempts        INTEGER NOT NULL,
    next_attempt_at INTEGER NOT NULL,
    last_answer     TEXT,
    finished_at     INTEGER
) STRICT;
CREATE INDEX delivery_pending ON delivery (channel_row, check_row, row) WHERE state = 'pending';

-- One row, rewritten to find out whether a disk that was full takes anything again.
CREATE TABLE probe (
    row  INTEGER PRIMARY KEY,
    data BLOB NOT NULL
) STRICT;
