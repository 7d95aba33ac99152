-- Accepting messages. And of all files beside this one:
--
-- The statements of the SQLite store. A statement that says ASC also exists as
-- `<name>_descending`, with DESC in its place (see queries.py).
-- Statements of the hot path take positional parameters, in the order of the table's columns, in one
-- row of VALUES, which is written as often as there are rows; rows of NULLs have to be ignored (see
-- sqlite/bulk.py).

-- name: application_version
SELECT version FROM resources WHERE kind = 'application' AND id = ?;

-- name: find_keys
-- Expired ones too: they are gone once somebody has the room to forget them.
SELECT * FROM keys WHERE digest IN (SELECT * FROM (VALUES (?)));

-- name: insert_keys
-- Replaces expired ones; the caller has looked for those that are not.
INSERT OR REPLACE INTO keys
SELECT * FROM (VALUES (?, ?, ?, ?, ?, ?))
WHERE column1 IS NOT NULL;

-- name: delete_expired_keys
DELETE FROM keys WHERE digest IN (
    SELECT digest FROM keys WHERE expires_at_us <= ? ORDER BY expires_at_us LIMIT ?
);

-- name: insert_messages
INSERT INTO messages
SELECT * FROM (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?))
WHERE column1 IS NOT NULL;
