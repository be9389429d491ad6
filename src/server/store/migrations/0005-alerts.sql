-- A channel may hear of one check only, may be switched off, and remembers how its target is.
ALTER TABLE channel ADD COLUMN check_id BLOB REFERENCES check_ (id);
ALTER TABLE channel ADD COLUMN enabled INTEGER NOT NULL DEFAULT 1;
-- Attempts in a row that the target did not take, though it might later.
ALTER TABLE channel ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
-- Nothing is sent before this time.
ALTER TABLE channel ADD COLUMN retry_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE channel ADD COLUMN failing_since INTEGER;
ALTER TABLE channel ADD COLUMN last_delivery_at INTEGER;
ALTER TABLE channel ADD COLUMN latest_answer TEXT;

ALTER TABLE delivery ADD COLUMN last_attempt_at INTEGER;

-- What waits for one channel, oldest first; when the next of all is due; a channel's history.
CREATE INDEX delivery_waiting ON delivery (channel_row, row) WHERE state = 'pending';
CREATE INDEX delivery_next ON delivery (next_attempt_at) WHERE state = 'pending';
CREATE INDEX delivery_channel ON delivery (channel_row, row);
