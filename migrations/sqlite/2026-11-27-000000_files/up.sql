-- Files that users have sent up, and who may read them. The bytes are in the file store, by the token.
CREATE TABLE files (
    id INTEGER PRIMARY KEY NOT NULL,
    token TEXT NOT NULL UNIQUE,          -- the file ID on the wire
    owner BIGINT NOT NULL,               -- who sent it up,
    tenure BIGINT NOT NULL,              -- when their ID was theirs: users.voided
    name TEXT NOT NULL,
    mime TEXT NOT NULL,
    size BIGINT NOT NULL,                -- bytes
    sha256 TEXT NOT NULL,                -- hexadecimal
    width BIGINT,                        -- of a picture, in pixels, as it is shown
    height BIGINT,
    thumbnail TEXT,                      -- its type, where there is one
    state SMALLINT NOT NULL,             -- 0 on its way into the file store, 1 there, 2 on its way out
    created_at BIGINT NOT NULL           -- Unix seconds; of one on its way out, from when on
);
-- Covers the question of how much of its quota a user has used.
CREATE INDEX files_by_owner ON files (owner, tenure, state, size);

-- Both sides of a message that carries a file may read it. The sender might when it was stored.
CREATE TABLE file_readers (
    message_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    file BIGINT NOT NULL,                -- files.id
    seq BIGINT NOT NULL,                 -- the message's number in this user's timeline
    PRIMARY KEY (message_id, user_id)
) WITHOUT ROWID;
CREATE INDEX file_readers_by_file ON file_readers (file, user_id, seq);
