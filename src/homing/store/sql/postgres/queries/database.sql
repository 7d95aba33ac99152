-- The database itself.

-- name: beat
-- A write that changes nothing anyone reads.
INSERT INTO pulse (one, beats) VALUES (1, 1)
ON CONFLICT (one) DO UPDATE SET beats = pulse.beats + 1;

-- name: durability
-- What the server promises when it says that something is committed.
SELECT current_setting('fsync'), current_setting('synchronous_commit'),
    current_setting('full_page_writes');

-- name: lock_migrations
-- Nodes that start together migrate one after the other. The number only has to be ours.
SELECT pg_advisory_xact_lock(7102301045);

-- name: create_migrations
-- Which migrations were applied; it comes before the first of them.
CREATE TABLE IF NOT EXISTS migrations (name text COLLATE "C" PRIMARY KEY);

-- name: find_table
SELECT to_regclass($1) IS NOT NULL;

-- name: applied_migrations
SELECT name FROM migrations ORDER BY name;

-- name: insert_migration
INSERT INTO migrations (name) VALUES ($1);

-- name: renumber_log
-- A database restored into another server has lines of transactions that are yet to come there.
-- They are put before everything, in the order of their numbers.
UPDATE delivery_log SET transaction = '3' WHERE transaction >= pg_current_xact_id();
