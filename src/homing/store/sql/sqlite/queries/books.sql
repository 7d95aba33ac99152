-- The books.

-- name: first_message
SELECT accepted_at_us FROM messages ORDER BY id LIMIT 1;

-- name: next_book
-- The first message id of the range that has anything to count: empty windows are skipped.
SELECT min(message_id) FROM (
    SELECT min(message_id) AS message_id FROM deliveries
    WHERE message_id >= :low AND message_id < :high
    UNION ALL
    SELECT min(message_id) FROM history WHERE message_id >= :low AND message_id < :high
    UNION ALL
    SELECT min(message_id) FROM delivery_log
    WHERE from_state IS NULL AND rows_written = 1 AND message_id >= :low AND message_id < :high
);

-- name: count_born
-- Deliveries that the log says were made. One announced twice (mended by hand) counts once.
SELECT endpoint_id, app_id, 'accepted', COUNT(*) FROM (
    SELECT DISTINCT message_id, endpoint_id, app_id FROM delivery_log
    WHERE from_state IS NULL AND rows_written = 1 AND message_id >= :low AND message_id < :high
)
GROUP BY endpoint_id, app_id;

-- name: count_placed
SELECT endpoint_id, app_id, state, COUNT(*) FROM placed
WHERE message_id >= :low AND message_id < :high
GROUP BY endpoint_id, app_id, state;

-- name: find_unaccounted
-- Said to be made, but in neither table.
SELECT DISTINCT message_id, endpoint_id FROM delivery_log AS line
WHERE from_state IS NULL AND rows_written = 1 AND message_id >= :low AND message_id < :high
    AND NOT EXISTS (
        SELECT 1 FROM deliveries AS hot
        WHERE hot.message_id = line.message_id AND hot.endpoint_id = line.endpoint_id)
    AND NOT EXISTS (
        SELECT 1 FROM history
        WHERE history.message_id = line.message_id AND history.endpoint_id = line.endpoint_id)
ORDER BY message_id, endpoint_id LIMIT :limit;

-- name: find_unannounced
-- In a table, but never said to be made.
SELECT DISTINCT message_id, endpoint_id FROM placed
WHERE message_id >= :low AND message_id < :high
    AND NOT EXISTS (
        SELECT 1 FROM delivery_log AS line
        WHERE from_state IS NULL AND rows_written = 1
            AND line.message_id = placed.message_id AND line.endpoint_id = placed.endpoint_id)
ORDER BY message_id, endpoint_id LIMIT :limit;

-- name: find_doubled
-- In both tables.
SELECT message_id, endpoint_id FROM deliveries INNER JOIN history USING (message_id, endpoint_id)
WHERE message_id >= :low AND message_id < :high
ORDER BY message_id, endpoint_id LIMIT :limit;

-- name: find_uncounted
-- Messages with another number of "accepted" lines than deliveries made at acceptance.
SELECT id, '' FROM messages
WHERE id >= :low AND id < :high AND fanout <> (
    SELECT COUNT(*) FROM delivery_log
    WHERE from_state IS NULL AND rows_written = 1
        AND message_id = messages.id AND op = 'accepted')
ORDER BY id LIMIT :limit;

-- name: attempts_made
-- A walk along the primary key, from one message to another.
SELECT message_id, endpoint_id, COUNT(*) FROM attempts
WHERE message_id BETWEEN :first AND :last
GROUP BY message_id, endpoint_id;
