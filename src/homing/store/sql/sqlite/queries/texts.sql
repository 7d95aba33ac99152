-- Words of payloads: what is indexed, what was, and what is no longer.

-- name: texts_of_all
SELECT id, app_id, substr(payload, 1, :bytes_max) FROM messages
WHERE id > :after AND id <= :last AND payload IS NOT NULL ORDER BY id LIMIT :limit;

-- name: texts_of_app
SELECT id, app_id, substr(payload, 1, :bytes_max) FROM messages
WHERE app_id = :app_id AND id > :after AND id <= :last AND payload IS NOT NULL
ORDER BY id LIMIT :limit;

-- name: newest_of_all
SELECT id, app_id, substr(payload, 1, :bytes_max) FROM messages
WHERE id > :after AND id < :below AND payload IS NOT NULL ORDER BY id DESC LIMIT :limit;

-- name: newest_of_app
SELECT id, app_id, substr(payload, 1, :bytes_max) FROM messages
WHERE app_id = :app_id AND id > :after AND id < :below AND payload IS NOT NULL
ORDER BY id DESC LIMIT :limit;

-- name: count_texts
-- Whether what was read of a segment is still all that is in it.
SELECT count(*) FROM messages WHERE id > :after AND id <= :last AND payload IS NOT NULL;

-- name: put_segment
INSERT OR REPLACE INTO text_segments
VALUES (:number, :after, :last, :pieces, :messages, :text_bytes, 0);

-- name: delete_segment
DELETE FROM text_segments WHERE number = ?;

-- name: delete_entries
-- Of one segment.
DELETE FROM text_entries WHERE place >= :number * 256 AND place < :number * 256 + 256;

-- name: insert_entries
INSERT INTO text_entries VALUES (?, ?);

-- name: segments
-- Downwards from the one that the id would be in; the last number there can be, when it is in none.
SELECT * FROM text_segments
WHERE number <= coalesce(
    (SELECT number FROM text_segments WHERE last >= :below ORDER BY last LIMIT 1),
    9223372036854775807) AND after < :below
ORDER BY number DESC LIMIT :limit;

-- name: stale_segments
SELECT * FROM text_segments WHERE stale = 1 ORDER BY number LIMIT :limit;

-- name: entries
SELECT place / 256, entries FROM text_entries
WHERE place IN (SELECT value * 256 + :bucket FROM json_each(:numbers));

-- name: segments_with
-- Those that these messages are in: the first that ends with or after each of them.
SELECT DISTINCT number FROM text_segments WHERE stale = 0 AND number IN (
    SELECT (SELECT number FROM text_segments WHERE last >= one.value ORDER BY last LIMIT 1)
    FROM json_each(:ids) AS one);

-- name: mark_stale
UPDATE text_segments SET stale = 1 WHERE number = ?;
