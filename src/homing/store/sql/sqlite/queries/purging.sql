-- Forgetting what is beyond its retention.

-- name: applications_kept
-- From one application's first message to the next one's: a step each, however many messages.
WITH RECURSIVE kept (app_id) AS (
    SELECT min(app_id) FROM messages WHERE app_id > :after
    UNION ALL
    SELECT (SELECT min(app_id) FROM messages WHERE messages.app_id > kept.app_id)
    FROM kept WHERE kept.app_id IS NOT NULL
)
SELECT app_id FROM kept WHERE app_id IS NOT NULL LIMIT :limit;

-- name: standings
-- Along the application's index, and by key from each message to what it has.
SELECT id, app_id, accepted_at_us, payload IS NOT NULL,
    EXISTS (SELECT 1 FROM attempts WHERE attempts.message_id = messages.id),
    EXISTS (SELECT 1 FROM deliveries WHERE deliveries.message_id = messages.id),
    (SELECT COUNT(*) FROM history WHERE history.message_id = messages.id),
    (SELECT MAX(finished_at_us) FROM history WHERE history.message_id = messages.id),
    (SELECT MAX(finished_at_us) FROM history
        WHERE history.message_id = messages.id AND state || '' = 'dead')
FROM messages
WHERE app_id = :app_id AND id > :after AND id < :until
ORDER BY id LIMIT :limit;

-- name: standings_of
-- The same of these messages. The write lock is held, so nothing of them changes any more.
SELECT id, app_id, accepted_at_us, payload IS NOT NULL,
    EXISTS (SELECT 1 FROM attempts WHERE attempts.message_id = messages.id),
    EXISTS (SELECT 1 FROM deliveries WHERE deliveries.message_id = messages.id),
    (SELECT COUNT(*) FROM history WHERE history.message_id = messages.id),
    (SELECT MAX(finished_at_us) FROM history WHERE history.message_id = messages.id),
    (SELECT MAX(finished_at_us) FROM history
        WHERE history.message_id = messages.id AND state || '' = 'dead')
FROM messages WHERE id IN (SELECT value FROM json_each(:ids));

-- name: message_exists
SELECT 1 FROM messages WHERE id = ?;

-- name: purge_payloads
UPDATE messages SET payload = NULL
WHERE id IN (SELECT value FROM json_each(:ids)) AND payload IS NOT NULL;

-- name: purge_attempts
DELETE FROM attempts WHERE message_id IN (SELECT value FROM json_each(:ids));

-- name: count_dead
SELECT COUNT(*) FROM history
WHERE message_id IN (SELECT value FROM json_each(:ids)) AND state || '' = 'dead';

-- name: purge_history
DELETE FROM history WHERE message_id IN (SELECT value FROM json_each(:ids));

-- name: purge_born_lines
-- What was said when the deliveries were made, found by the index of the books.
DELETE FROM delivery_log
WHERE from_state IS NULL AND rows_written = 1
    AND message_id IN (SELECT value FROM json_each(:ids));

-- name: purge_messages
DELETE FROM messages WHERE id IN (SELECT value FROM json_each(:ids));

-- name: looked_at_lines
-- The last of the next lines of the log, up to the first that is too young.
SELECT MAX(line) FROM (
    SELECT line, at_us FROM delivery_log WHERE line > :line ORDER BY line LIMIT :limit
) WHERE at_us < :until_us;

-- name: purge_lines
-- Those of messages that are gone; of a message without a row that is still in the books, none.
DELETE FROM delivery_log
WHERE line > :line AND line <= :last AND at_us < :until_us
    AND NOT (from_state IS NULL AND rows_written = 1)
    AND NOT EXISTS (SELECT 1 FROM messages WHERE messages.id = delivery_log.message_id)
    AND NOT EXISTS (
        SELECT 1 FROM deliveries WHERE deliveries.message_id = delivery_log.message_id)
    AND NOT EXISTS (
        SELECT 1 FROM delivery_log AS born
        WHERE born.message_id = delivery_log.message_id
            AND born.from_state IS NULL AND born.rows_written = 1);
