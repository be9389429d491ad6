-- What happened to a check beside its pings, which tell of themselves: its status changed, or
-- somebody was to be told. Written with the change itself.
CREATE TABLE event (
    row          INTEGER PRIMARY KEY,
    check_row    INTEGER NOT NULL REFERENCES check_ (row),
    -- status_changed or alert_decision.
    kind         TEXT NOT NULL,
    -- ping, schedule or user.
    source       TEXT NOT NULL,
    -- When it happened, and when the server took it into account.
    occurred_at  INTEGER NOT NULL,
    effective_at INTEGER NOT NULL,
    from_status  TEXT,
    to_status    TEXT,
    -- When the next end was expected then.
    expected_at  INTEGER,
    alert_row    INTEGER REFERENCES alert (row)
) STRICT;
CREATE INDEX event_check ON event (check_row, effective_at, row);
CREATE INDEX event_alert ON event (alert_row) WHERE alert_row IS NOT NULL;

-- How far the sender's clock was from ours, milliseconds, ahead is positive; kept where it is
-- worth a word.
ALTER TABLE ping ADD COLUMN clock_off_ms INTEGER;

-- Pings that were told late stand in the history of events where they arrived. They are few, so
-- a ping that came in time costs nothing here. The number is history.rs's LATE.
CREATE INDEX ping_late ON ping (check_row, received_at, row)
    WHERE received_at - created_at > 10000;

-- Which deliveries an alert has, and which alerts a check that is pruned.
CREATE INDEX delivery_alert ON delivery (alert_row);
CREATE INDEX delivery_check ON delivery (check_row);

-- Checks whose history is to be pruned.
CREATE INDEX check_deleted ON check_ (row) WHERE deleted_at IS NOT NULL;

-- How many pings of the last day were pruned, so that the figures about that day stay true.
-- `hour` is hours since the Unix epoch, by when they happened.
CREATE TABLE pruned_pings (
    check_row INTEGER NOT NULL REFERENCES check_ (row),
    hour      INTEGER NOT NULL,
    successes INTEGER NOT NULL,
    failures  INTEGER NOT NULL,
    total     INTEGER NOT NULL,
    PRIMARY KEY (check_row, hour)
) STRICT, WITHOUT ROWID;

-- What still belongs to a project that was archived.
CREATE INDEX check_project ON check_ (project_id);
