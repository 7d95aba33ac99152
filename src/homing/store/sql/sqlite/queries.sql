-- Every statement of the SQLite store. A statement that says ASC also exists as
-- `<name>_descending`, with DESC in its place (see queries.py).
-- Statements of the hot path take positional parameters, in the order of the table's columns, in one
-- row of VALUES, which is written as often as there are rows; rows of NULLs have to be ignored (see
-- sqlite/bulk.py).

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

-- name: insert_deliveries
INSERT INTO deliveries
SELECT * FROM (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?))
WHERE column1 IS NOT NULL;

-- name: insert_history
INSERT INTO history
SELECT * FROM (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?))
WHERE column1 IS NOT NULL;

-- name: insert_attempts
INSERT INTO attempts
SELECT * FROM (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?))
WHERE column1 IS NOT NULL;

-- name: insert_lines
-- The line's number is given by the table.
INSERT INTO delivery_log
SELECT NULL, * FROM (VALUES
    (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?))
WHERE column1 IS NOT NULL;

-- name: take_deliveries
-- The fence: only rows that the decisions were made on leave their place.
DELETE FROM deliveries
WHERE (message_id, endpoint_id, version) IN (SELECT * FROM (VALUES (?, ?, ?)));

-- name: take_history
-- The fence, for what had finished.
DELETE FROM history
WHERE (message_id, endpoint_id, version) IN (SELECT * FROM (VALUES (?, ?, ?)));

-- name: due_lanes
-- Walks deliveries_ready from its beginning and stops at the limit: whose the oldest are.
SELECT app_id, endpoint_id, MIN(ready_at_us), COUNT(*) FROM (
    SELECT app_id, endpoint_id, ready_at_us FROM deliveries WHERE ready_at_us <= :at_us
    ORDER BY ready_at_us LIMIT :limit
) GROUP BY app_id, endpoint_id;

-- name: next_lane
-- One step along deliveries_lane, over all that is in the lane before.
SELECT app_id, endpoint_id, ready_at_us FROM deliveries
WHERE state = ? AND ready_at_us IS NOT NULL AND (app_id, endpoint_id) > (?, ?)
ORDER BY app_id, endpoint_id, ready_at_us LIMIT 1;

-- name: due_deliveries
-- Walks one lane of deliveries_lane from its oldest and stops at the limit. The write lock is held,
-- so no other dispatcher sees these rows before they are written. Packed: see fetch_packed in
-- bulk.py.
SELECT json_group_array(json_array(
    message_id, endpoint_id, app_id, state, accepted_at_us, version, ready_at_us, holder, leases,
    unanswered, failures, manual, resume, resume_at_us, reason, first_error, last_error,
    finished_at_us))
FROM (
    SELECT * FROM deliveries
    WHERE state = :state AND app_id = :app_id AND endpoint_id = :endpoint_id
        AND ready_at_us <= :at_us
    ORDER BY ready_at_us LIMIT :count
);

-- name: allowances
SELECT id, tat_us FROM allowances WHERE id IN (SELECT value FROM json_each(?));

-- name: keep_allowances
INSERT INTO allowances (id, tat_us) VALUES (?, ?)
ON CONFLICT (id) DO UPDATE SET tat_us = excluded.tat_us;

-- name: leases_of_endpoint
-- Those that have not run out, counted up to a limit: walks the leases of one lane.
SELECT COUNT(*) FROM (
    SELECT 1 FROM deliveries
    WHERE state = 'leased' AND app_id = :app_id AND endpoint_id = :endpoint_id
        AND ready_at_us > :at_us
    LIMIT :most
);

-- name: leases_of_app
-- Those that have not run out, counted up to a limit: walks the leases of one application.
SELECT COUNT(*) FROM (
    SELECT 1 FROM deliveries WHERE state = 'leased' AND app_id = :app_id AND ready_at_us > :at_us
    LIMIT :most
);

-- name: next_ready_at_us
SELECT ready_at_us FROM deliveries WHERE ready_at_us IS NOT NULL ORDER BY ready_at_us LIMIT 1;

-- name: parked_endpoints
SELECT DISTINCT app_id, endpoint_id FROM deliveries WHERE state = 'parked'
ORDER BY app_id, endpoint_id;

-- name: backlog
-- Waiting, leased, parked, due, the oldest due: each from an index alone, nothing sorted.
SELECT total(state = 'waiting'), total(state = 'leased'),
    (SELECT COUNT(*) FROM deliveries WHERE state = 'parked'),
    total(ready_at_us <= :at_us),
    (SELECT MIN(ready_at_us) FROM deliveries WHERE ready_at_us <= :at_us)
FROM deliveries WHERE ready_at_us IS NOT NULL;

-- name: behind
-- Due or under way, by application: from deliveries_lane alone.
SELECT app_id, COUNT(*) FROM deliveries
WHERE (state = 'leased' AND ready_at_us IS NOT NULL) OR (state = 'waiting' AND ready_at_us <= :at_us)
GROUP BY app_id;

-- name: resource_by_id
SELECT document, version FROM resources WHERE kind = :kind AND scope = :scope AND id = :name;

-- name: resource_by_uid
SELECT document, version FROM resources WHERE kind = :kind AND scope = :scope AND uid = :name;

-- name: resources_by_ids
SELECT document, version FROM resources
WHERE kind = :kind AND id IN (SELECT value FROM json_each(:ids)) ORDER BY id;

-- name: list_resources
SELECT document, version FROM resources
WHERE kind = :kind AND scope = :scope AND id >= :low AND id < :high
ORDER BY id ASC LIMIT :limit;

-- name: list_all_resources
-- Of every scope.
SELECT document, version FROM resources
WHERE kind = :kind AND id >= :low AND id < :high
ORDER BY id ASC LIMIT :limit;

-- name: running_tasks
-- Walks resources_running, which holds nothing else.
SELECT document, version FROM resources
WHERE kind = 'task' AND json_extract(document, '$.status') = 'running' ORDER BY id LIMIT ?;

-- name: insert_resource
INSERT INTO resources (kind, scope, id, uid, version, document)
VALUES (:kind, :scope, :id, :uid, :version, :document);

-- name: add_resource
INSERT INTO resources (kind, scope, id, uid, version, document)
VALUES (:kind, :scope, :id, :uid, :version, :document)
ON CONFLICT DO NOTHING;

-- name: update_resource
UPDATE resources SET uid = :uid, version = :version, document = :document
WHERE kind = :kind AND scope = :scope AND id = :id AND version = :version - 1;

-- name: touch_application
UPDATE resources SET version = version + 1 WHERE kind = 'application' AND id = ?;

-- name: delete_resource
DELETE FROM resources WHERE kind = :kind AND scope = :scope AND id = :id;

-- name: delete_endpoints_of
DELETE FROM resources WHERE kind = 'endpoint' AND scope = ?;

-- name: message_by_id
SELECT * FROM messages WHERE id = ?;

-- name: message_by_event_id
SELECT * FROM messages WHERE app_id = :app_id AND event_id = :name ORDER BY id DESC LIMIT 1;

-- name: messages_by_ids
-- Packed: see fetch_packed in bulk.py. JSON has no bytes, so the payload comes in hexadecimal.
SELECT json_group_array(json_array(
    id, app_id, event_type, iif(payload IS NULL, NULL, hex(payload)), accepted_at_us, fanout,
    is_raw, event_id, channels, tags, deliver_at_us))
FROM messages WHERE id IN (SELECT value FROM json_each(:ids));

-- name: first_message
SELECT accepted_at_us FROM messages ORDER BY id LIMIT 1;

-- name: list_messages
-- The filters after the bounds are looked at row by row.
SELECT * FROM messages
WHERE app_id = :app_id AND id >= :low AND id < :high
    AND (:event_types IS NULL OR event_type IN (SELECT value FROM json_each(:event_types)))
    AND (:channel IS NULL OR :channel IN (SELECT value FROM json_each(channels)))
    AND (:tag IS NULL OR :tag IN (SELECT value FROM json_each(tags)))
ORDER BY id ASC LIMIT :limit;

-- name: expunge_message
UPDATE messages SET payload = NULL WHERE id = ?;

-- name: delivery
SELECT * FROM placed WHERE message_id = ? AND endpoint_id = ? LIMIT 1;

-- name: list_deliveries_of_endpoint
-- Merges two index walks, hot and history, and stops at the limit; filters are looked at row by row.
SELECT placed.* FROM placed
WHERE endpoint_id = :endpoint_id AND message_id >= :message_low AND message_id < :message_high
    AND (:app_id IS NULL OR app_id = :app_id)
    AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
    AND (:any_message OR EXISTS (
        SELECT 1 FROM messages WHERE messages.id = placed.message_id
            AND (:event_types IS NULL OR event_type IN (SELECT value FROM json_each(:event_types)))
            AND (:channel IS NULL OR :channel IN (SELECT value FROM json_each(channels)))))
ORDER BY message_id ASC LIMIT :limit;

-- name: list_deliveries_of_message
-- By primary key.
SELECT placed.* FROM placed
WHERE message_id = :message_id AND endpoint_id >= :endpoint_low AND endpoint_id < :endpoint_high
    AND (:app_id IS NULL OR app_id = :app_id)
    AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
    AND (:any_message OR EXISTS (
        SELECT 1 FROM messages WHERE messages.id = placed.message_id
            AND (:event_types IS NULL OR event_type IN (SELECT value FROM json_each(:event_types)))
            AND (:channel IS NULL OR :channel IN (SELECT value FROM json_each(channels)))))
ORDER BY endpoint_id ASC LIMIT :limit;

-- name: list_deliveries
-- Of everyone, along the primary keys.
SELECT placed.* FROM placed
WHERE (message_id, endpoint_id) >= (:message_low, :endpoint_low)
    AND (message_id, endpoint_id) < (:message_high, :endpoint_high)
    AND (:app_id IS NULL OR app_id = :app_id)
    AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
    AND (:any_message OR EXISTS (
        SELECT 1 FROM messages WHERE messages.id = placed.message_id
            AND (:event_types IS NULL OR event_type IN (SELECT value FROM json_each(:event_types)))
            AND (:channel IS NULL OR :channel IN (SELECT value FROM json_each(channels)))))
ORDER BY message_id ASC, endpoint_id ASC LIMIT :limit;

-- name: list_deliveries_of_app
-- Walks the application's messages, and from each to its deliveries: in both tables, merged.
-- Ordered by the message's own id, or SQLite would sort what comes in order already.
SELECT placed.*, messages.id AS walked
FROM messages CROSS JOIN deliveries AS placed ON placed.message_id = messages.id
WHERE messages.app_id = :app_id AND messages.id >= :message_low AND messages.id <= :message_high
    AND (messages.id, endpoint_id) >= (:message_low, :endpoint_low)
    AND (messages.id, endpoint_id) < (:message_high, :endpoint_high)
    AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
    AND (:event_types IS NULL OR event_type IN (SELECT value FROM json_each(:event_types)))
    AND (:channel IS NULL OR :channel IN (SELECT value FROM json_each(channels)))
UNION ALL
SELECT placed.*, messages.id AS walked
FROM messages CROSS JOIN history AS placed ON placed.message_id = messages.id
WHERE messages.app_id = :app_id AND messages.id >= :message_low AND messages.id <= :message_high
    AND (messages.id, endpoint_id) >= (:message_low, :endpoint_low)
    AND (messages.id, endpoint_id) < (:message_high, :endpoint_high)
    AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
    AND (:event_types IS NULL OR event_type IN (SELECT value FROM json_each(:event_types)))
    AND (:channel IS NULL OR :channel IN (SELECT value FROM json_each(channels)))
ORDER BY walked ASC, endpoint_id ASC LIMIT :limit;

-- name: list_dead_of_endpoint
-- The three that follow walk an index of dead letters only.
SELECT placed.* FROM history AS placed
WHERE state = 'dead' AND endpoint_id = :endpoint_id
    AND message_id >= :message_low AND message_id < :message_high
    AND (:app_id IS NULL OR app_id = :app_id)
    AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
    AND (:any_message OR EXISTS (
        SELECT 1 FROM messages WHERE messages.id = placed.message_id
            AND (:event_types IS NULL OR event_type IN (SELECT value FROM json_each(:event_types)))
            AND (:channel IS NULL OR :channel IN (SELECT value FROM json_each(channels)))))
ORDER BY message_id ASC LIMIT :limit;

-- name: list_dead_of_app
SELECT placed.* FROM history AS placed
WHERE state = 'dead' AND app_id = :app_id
    AND (message_id, endpoint_id) >= (:message_low, :endpoint_low)
    AND (message_id, endpoint_id) < (:message_high, :endpoint_high)
    AND (:app_id IS NULL OR app_id = :app_id)
    AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
    AND (:any_message OR EXISTS (
        SELECT 1 FROM messages WHERE messages.id = placed.message_id
            AND (:event_types IS NULL OR event_type IN (SELECT value FROM json_each(:event_types)))
            AND (:channel IS NULL OR :channel IN (SELECT value FROM json_each(channels)))))
ORDER BY message_id ASC, endpoint_id ASC LIMIT :limit;

-- name: list_dead
SELECT placed.* FROM history AS placed
WHERE state = 'dead'
    AND (message_id, endpoint_id) >= (:message_low, :endpoint_low)
    AND (message_id, endpoint_id) < (:message_high, :endpoint_high)
    AND (:app_id IS NULL OR app_id = :app_id)
    AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
    AND (:any_message OR EXISTS (
        SELECT 1 FROM messages WHERE messages.id = placed.message_id
            AND (:event_types IS NULL OR event_type IN (SELECT value FROM json_each(:event_types)))
            AND (:channel IS NULL OR :channel IN (SELECT value FROM json_each(channels)))))
ORDER BY message_id ASC, endpoint_id ASC LIMIT :limit;

-- name: attempt
SELECT * FROM attempts WHERE message_id = ? AND id = ?;

-- name: list_attempts_of_endpoint
SELECT * FROM attempts
WHERE endpoint_id = :endpoint_id AND id >= :low AND id < :high
    AND app_id = :app_id
    AND (:succeeded IS NULL OR (reason = 'ok') = :succeeded)
    AND (:status_class IS NULL OR coalesce(status, 0) / 100 * 100 = :status_class)
    AND (:any_message OR EXISTS (
        SELECT 1 FROM messages WHERE messages.id = attempts.message_id
            AND (:event_types IS NULL OR event_type IN (SELECT value FROM json_each(:event_types)))
            AND (:channel IS NULL OR :channel IN (SELECT value FROM json_each(channels)))
            AND (:tag IS NULL OR :tag IN (SELECT value FROM json_each(tags)))))
ORDER BY id ASC LIMIT :limit;

-- name: list_attempts_of_message
SELECT * FROM attempts
WHERE message_id = :message_id AND id >= :low AND id < :high
    AND (:endpoint_id IS NULL OR endpoint_id = :endpoint_id)
    AND app_id = :app_id
    AND (:succeeded IS NULL OR (reason = 'ok') = :succeeded)
    AND (:status_class IS NULL OR coalesce(status, 0) / 100 * 100 = :status_class)
    AND (:any_message OR EXISTS (
        SELECT 1 FROM messages WHERE messages.id = attempts.message_id
            AND (:event_types IS NULL OR event_type IN (SELECT value FROM json_each(:event_types)))
            AND (:channel IS NULL OR :channel IN (SELECT value FROM json_each(channels)))
            AND (:tag IS NULL OR :tag IN (SELECT value FROM json_each(tags)))))
ORDER BY id ASC LIMIT :limit;

-- name: attempt_counts
SELECT reason, COUNT(*) FROM attempts
WHERE endpoint_id = :endpoint_id AND id >= :low AND id < :high GROUP BY reason;

-- name: expunge_attempts
-- All responses to one message.
UPDATE attempts SET response_body = NULL, response_headers = NULL WHERE message_id = ?;

-- name: expunge_attempt
UPDATE attempts SET response_body = NULL, response_headers = NULL
WHERE message_id = ? AND id = ?;

-- name: log_lines
-- One writer at a time: lines become visible in the order of their numbers.
SELECT * FROM delivery_log WHERE line > :line ORDER BY line LIMIT :limit;

-- name: log_lines_of_app
SELECT * FROM delivery_log WHERE line > :line AND app_id = :app_id ORDER BY line LIMIT :limit;

-- name: notable_lines
-- In the words of the index delivery_log_notable, or it would not be used.
SELECT * FROM delivery_log
WHERE line > :line AND rows_written = 1 AND (to_state = 'dead' OR attempt_no >= 2)
ORDER BY line LIMIT :limit;

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
