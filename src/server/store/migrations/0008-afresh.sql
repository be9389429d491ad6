-- How many of a delivery's attempts no longer count: it was made due at once after them, because its
-- channel was switched on, went elsewhere or was back, and begins its retries afresh.
ALTER TABLE delivery ADD COLUMN forgiven INTEGER NOT NULL DEFAULT 0;
