-- Divides the table `messages` of PostgreSQL by message ID: what is there becomes the first part, and ten
-- more parts of ten million IDs each are made ready for what comes. See docs/OPERATIONS.md, "Capacity".
--
--     psql --single-transaction --set ON_ERROR_STOP=1 --file deploy/partition-messages.sql postgres://…
--
-- The table is locked until it is done, which takes as long as one reading of it; meanwhile requests are
-- answered `storage_unavailable`. The indexes of the whole get the names of those of the table, since later
-- migrations go by them.

ALTER TABLE messages RENAME TO messages_0;
ALTER INDEX messages_pkey RENAME TO messages_0_pkey;
ALTER INDEX messages_by_sender RENAME TO messages_0_by_sender;
ALTER INDEX messages_by_recipient RENAME TO messages_0_by_recipient;
ALTER INDEX messages_by_conversation RENAME TO messages_0_by_conversation;

CREATE TABLE messages (LIKE messages_0 INCLUDING DEFAULTS, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE INDEX messages_by_sender ON messages (sender, sender_seq);
CREATE INDEX messages_by_recipient ON messages (recipient, status, recipient_seq);
CREATE INDEX messages_by_conversation ON messages (lo, hi, lo_seq);

DO $$
DECLARE
    ids CONSTANT BIGINT := 10000000; -- in each part
    parts CONSTANT INT := 10;
    start BIGINT;
BEGIN
    -- IDs that are granted already may still be used: the first part takes all that can have been.
    SELECT (next / ids + 1) * ids + 1 INTO start FROM id_allocation;
    EXECUTE format('ALTER TABLE messages ATTACH PARTITION messages_0 FOR VALUES FROM (MINVALUE) TO (%s)', start);
    FOR part IN 1 .. parts LOOP
        EXECUTE format('CREATE TABLE messages_%s PARTITION OF messages FOR VALUES FROM (%s) TO (%s)',
            part, start + (part - 1) * ids, start + part * ids);
    END LOOP;
END $$;

-- Whatever comes behind the last part; empty, if parts are added in time.
CREATE TABLE messages_rest PARTITION OF messages DEFAULT;
