-- Cron schedules, and maintenance windows.

-- Where a check has a cron expression, its period_seconds is what it had before, or 0 where it
-- never had any: the column can't become empty without making the table anew.
ALTER TABLE check_ ADD COLUMN cron_expression TEXT;
-- IANA name; none where the organization's counts.
ALTER TABLE check_ ADD COLUMN timezone TEXT;
ALTER TABLE check_ ADD COLUMN resumed_at INTEGER;
-- JSON: the alert that is held for a maintenance window.
ALTER TABLE check_ ADD COLUMN held TEXT;

-- One for the whole organization, for one of its projects, or for one of its checks. A check or
-- project that is deleted leaves its windows behind, which end by themselves.
CREATE TABLE maintenance (
    id         BLOB PRIMARY KEY,
    org_id     BLOB NOT NULL REFERENCES organization (id),
    project_id BLOB,
    check_id   BLOB,
    reason     TEXT NOT NULL,
    starts_at  INTEGER NOT NULL,
    ends_at    INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX maintenance_org ON maintenance (org_id, ends_at);
