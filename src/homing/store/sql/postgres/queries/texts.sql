-- Words of payloads: what is indexed, what was, and what is no longer.

-- name: texts_of_all
SELECT id, app_id, substr(payload, 1, $4) FROM messages
WHERE id > $1 AND id <= $2 AND payload IS NOT NULL ORDER BY id LIMIT $3;

-- name: texts_of_app
SELECT id, app_id, substr(payload, 1, $4) FROM messages
WHERE (app_id, id) > ($5, $1) AND (app_id, id) <= ($5, $2) AND payload IS NOT NULL
ORDER BY app_id, id LIMIT $3;

-- name: newest_of_all
SELECT id, app_id, substr(payload, 1, $4) FROM messages
WHERE id > $1 AND id < $2 AND payload IS NOT NULL ORDER BY id DESC LIMIT $3;

-- name: newest_of_app
SELECT id, app_id, substr(payload, 1, $4) FROM messages
WHERE (app_id, id) > ($5, $1) AND (app_id, id) < ($5, $2) AND payload IS NOT NULL
ORDER BY app_id DESC, id DESC LIMIT $3;

-- name: count_texts
-- Whether what was read of a segment is still all that is in it.
SELECT count(*) FROM messages WHERE id > $1 AND id <= $2 AND payload IS NOT NULL;

-- name: put_segment
INSERT INTO text_segments VALUES ($1, $2, $3, $4, $5, $6, 0)
ON CONFLICT (number) DO UPDATE SET (after, last, pieces, messages, text_bytes, stale)
    = (excluded.after, excluded.last, excluded.pieces, excluded.messages, excluded.text_bytes, 0);

-- name: delete_segment
DELETE FROM text_segments WHERE number = $1;

-- name: delete_entries
-- Of these segments, each along the key.
DELETE FROM text_entries AS e USING unnest($1::bigint[]) AS number
WHERE e.place >= number * 256 AND e.place < number * 256 + 256;

-- name: insert_entries
INSERT INTO text_entries SELECT * FROM unnest($1::bigint[], $2::bytea[]);

-- name: segments
-- Downwards from the one that the id would be in; the last number there can be, when it is in none.
SELECT * FROM text_segments
WHERE number <= coalesce(
    (SELECT number FROM text_segments WHERE last >= $1 ORDER BY last LIMIT 1), 9223372036854775807)
    AND after < $1
ORDER BY number DESC LIMIT $2;

-- name: stale_segments
SELECT * FROM text_segments WHERE stale = 1 ORDER BY number LIMIT $1;

-- name: entries
SELECT place / 256, entries FROM text_entries
WHERE place = ANY (SELECT number * 256 + $1 FROM unnest($2::bigint[]) AS number);

-- name: mark_stale
-- The segments that these messages are in, each the first that ends with or after one of them; in
-- the order of their numbers, as everybody who locks some does.
UPDATE text_segments SET stale = 1 WHERE number IN (
    SELECT number FROM text_segments WHERE stale = 0 AND number IN (
        SELECT (SELECT s.number FROM text_segments AS s WHERE s.last >= one.id
            ORDER BY s.last LIMIT 1)
        FROM unnest($1::text[]) AS one (id)
    ) ORDER BY number FOR UPDATE)
RETURNING number;

-- name: hold_indexing
-- Nobody writes a segment until this transaction has ended: what is removed in it cannot be indexed
-- by somebody who read it before.
SELECT FROM resources WHERE kind = 'text_indexing' AND scope = '' FOR SHARE;
