-- What is past its lifetime is looked for among the work that is left, whatever the history: through messages, every look of
-- the sweep read all of them that have not expired.
ALTER TABLE work ADD COLUMN expires_at timestamptz;
UPDATE work SET expires_at = messages.expires_at FROM messages WHERE work.kind = 'send' AND messages.id = work.subject;
CREATE INDEX work_expires ON work (expires_at) WHERE expires_at IS NOT NULL;
