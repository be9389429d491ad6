-- Why a channel is off where nobody switched it off: what its target answered. Switching it on
-- forgets it.
ALTER TABLE channel ADD COLUMN disabled_reason TEXT;
