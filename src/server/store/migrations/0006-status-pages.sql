-- What of a project everybody may see. A project without a row shows nothing.
CREATE TABLE publication (
    project_id   BLOB PRIMARY KEY REFERENCES project (id),
    -- The last part of the status page's address; none where it is switched off.
    page_path    TEXT UNIQUE COLLATE NOCASE,
    -- Whether a person chose the path, else it is random; whether search engines may list it.
    page_chosen  INTEGER NOT NULL DEFAULT 0,
    page_listed  INTEGER NOT NULL DEFAULT 0,
    -- What the addresses of all its badges begin with, and what they are signed with; none where
    -- they are switched off.
    badge_prefix TEXT UNIQUE,
    badge_secret BLOB
) STRICT, WITHOUT ROWID;
