-- Our own end to a message that we cannot send, and why. No evidence of the provider's, so it has a place of its own and can be taken back.
ALTER TABLE message_state ADD COLUMN given_up_at timestamptz;
ALTER TABLE message_state ADD COLUMN given_up jsonb;
ALTER TABLE message_state ADD CONSTRAINT message_state_given_up_check CHECK ((given_up_at IS NULL) = (given_up IS NULL));

-- The messages in doubt. Not by their state: that changes with each status, and those updates must not touch an index.
CREATE INDEX message_state_in_doubt ON message_state (unconfirmed_at) WHERE unconfirmed_at IS NOT NULL;
