-- Where and with what somebody signed in, so that they know it again. Sessions from before have
-- neither.
ALTER TABLE session ADD COLUMN address TEXT;
ALTER TABLE session ADD COLUMN agent TEXT;
