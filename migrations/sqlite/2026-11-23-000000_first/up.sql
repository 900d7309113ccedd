-- Users, by a number of our own: indexes over numbers are half the size of indexes over names.
CREATE TABLE users (
    id INTEGER PRIMARY KEY NOT NULL,
    login TEXT NOT NULL UNIQUE,          -- the user ID on the wire
    name TEXT,                           -- display name, where one was given
    timeline BIGINT NOT NULL DEFAULT 0,  -- the last number drawn of this user's timeline
    told BIGINT NOT NULL DEFAULT 0,      -- receipts up to this number were told to a device
    contacts BIGINT NOT NULL DEFAULT 0   -- how many contacts there are
);

-- One row: the next message ID that no node has leased yet.
CREATE TABLE id_allocation (
    id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    next BIGINT NOT NULL,
    probes BIGINT NOT NULL DEFAULT 0     -- counted up to show that the store can commit
);
INSERT INTO id_allocation (id, next) VALUES (1, 1);

-- Who may use which IDs: block n holds the IDs 10n+1 … 10n+10.
CREATE TABLE grants (
    block INTEGER PRIMARY KEY NOT NULL,
    user_id BIGINT NOT NULL,
    granted_at BIGINT NOT NULL           -- Unix seconds
);

CREATE TABLE messages (
    id INTEGER PRIMARY KEY NOT NULL,     -- the number of the message ID
    sender BIGINT NOT NULL,
    recipient BIGINT NOT NULL,
    sender_seq BIGINT NOT NULL,          -- its number in the sender's timeline
    recipient_seq BIGINT NOT NULL,       -- its number in the recipient's timeline
    lo BIGINT NOT NULL,                  -- the conversation: the smaller of the two users,
    hi BIGINT NOT NULL,                  -- the larger,
    lo_seq BIGINT NOT NULL,              -- and its place in it, the smaller one's number
    kind SMALLINT NOT NULL,
    body TEXT NOT NULL,
    sent_at TEXT NOT NULL,               -- the sender's own text
    status SMALLINT NOT NULL,            -- 1 stored and unread, 2 read
    origin BIGINT NOT NULL,              -- the connection that sent it
    stored_at BIGINT NOT NULL            -- Unix seconds, the server's clock
);
CREATE INDEX messages_by_sender ON messages (sender, sender_seq);
-- One index for two questions: what is unread (status 1), and, as two ranges, the timeline.
CREATE INDEX messages_by_recipient ON messages (recipient, status, recipient_seq);
CREATE INDEX messages_by_conversation ON messages (lo, hi, lo_seq);

-- What was told to a user: a message they sent was read, or one of their devices read one.
CREATE TABLE receipts (
    user_id BIGINT NOT NULL,
    seq BIGINT NOT NULL,                 -- its number in this user's timeline
    message_id BIGINT NOT NULL,
    origin BIGINT NOT NULL,              -- the connection that read it and is not told; 0 for the sender's copy
    PRIMARY KEY (user_id, seq)
) WITHOUT ROWID;

CREATE TABLE contacts (
    owner BIGINT NOT NULL,
    contact BIGINT NOT NULL,
    alias TEXT,                          -- the owner's name for the contact
    PRIMARY KEY (owner, contact)
) WITHOUT ROWID;
