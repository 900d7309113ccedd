DROP TABLE deployment;
DROP TABLE contacts;
DROP TABLE receipts;
DROP TABLE messages;
DROP TABLE grants;
DROP TABLE id_allocation;
DROP TABLE users;
