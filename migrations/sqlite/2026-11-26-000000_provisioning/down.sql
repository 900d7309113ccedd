DROP TABLE sent_by_key;
DROP TABLE blocks;
ALTER TABLE users DROP COLUMN voided;
ALTER TABLE users DROP COLUMN hidden;
ALTER TABLE users DROP COLUMN deleted;
ALTER TABLE users DROP COLUMN revision;
