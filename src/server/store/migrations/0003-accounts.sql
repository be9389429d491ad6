-- Keys that expire, people who sign in.

-- How a person wants to be called.
ALTER TABLE user ADD COLUMN name TEXT;

ALTER TABLE api_key ADD COLUMN expires_at INTEGER;
-- Right to the minute: a request is not worth a write.
ALTER TABLE api_key ADD COLUMN last_used_at INTEGER;
CREATE INDEX api_key_org ON api_key (org_id);
CREATE INDEX api_key_user ON api_key (user_id);
CREATE INDEX membership_user ON membership (user_id);

-- Someone who is signed in. Tokens are random and long, so their SHA-256 is enough.
CREATE TABLE session (
    id                BLOB PRIMARY KEY,
    user_id           BLOB NOT NULL REFERENCES user (id),
    -- 'api' for tokens, 'browser' for a cookie: one is never good as the other.
    kind              TEXT NOT NULL,
    hash              BLOB NOT NULL UNIQUE,
    hash_expires_at   INTEGER NOT NULL,
    -- What gets the next token, and what got this one: whoever brings that again has stolen
    -- it, or was stolen from.
    refresh_hash      BLOB UNIQUE,
    used_refresh_hash BLOB,
    created_at        INTEGER NOT NULL,
    -- The end of the whole session.
    expires_at        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_user ON session (user_id, created_at);
CREATE INDEX session_used ON session (used_refresh_hash) WHERE used_refresh_hash IS NOT NULL;
