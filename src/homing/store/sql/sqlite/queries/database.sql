-- The database itself.

-- name: create_migrations
-- Which migrations were applied; it comes before the first of them.
CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY);

-- name: applied_migrations
SELECT name FROM migrations ORDER BY name;

-- name: insert_migration
INSERT INTO migrations (name) VALUES (?);

-- name: beat
-- A write that changes nothing anyone reads.
INSERT INTO pulse (one, beats) VALUES (1, 1) ON CONFLICT (one) DO UPDATE SET beats = beats + 1;
