-- What is changed from outside, beside the messages: who is deleted, who blocks whom, what was sent by key.

-- Counts such changes of a user: what batches remember of them holds for one of these numbers.
ALTER TABLE users ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;
-- A user who was deleted keeps their row, for the history of those they wrote to.
ALTER TABLE users ADD COLUMN deleted BOOLEAN NOT NULL DEFAULT FALSE;
-- The timeline up to this number was somebody's who was deleted: whoever has the ID now does not see it.
ALTER TABLE users ADD COLUMN hidden BIGINT NOT NULL DEFAULT 0;
-- Grants up to this second (Unix) were theirs, and are void.
ALTER TABLE users ADD COLUMN voided BIGINT NOT NULL DEFAULT 0;

CREATE TABLE blocks (
    owner BIGINT NOT NULL,
    blocked BIGINT NOT NULL,             -- whose messages the owner does not get
    PRIMARY KEY (owner, blocked)
) WITHOUT ROWID;

-- What was sent for a user under a key: the same key again is the same message.
CREATE TABLE sent_by_key (
    message_id INTEGER PRIMARY KEY NOT NULL,
    sender BIGINT NOT NULL,
    key TEXT NOT NULL,
    sent_at BIGINT NOT NULL, -- Unix seconds
    UNIQUE (sender, key)
);
