-- Writing decisions, and the hot table counted.

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
SELECT * FROM (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?))
WHERE column1 IS NOT NULL;

-- name: insert_lines
-- The line's number is given by the table.
INSERT INTO delivery_log
SELECT NULL, * FROM (VALUES
    (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?))
WHERE column1 IS NOT NULL;

-- name: take_deliveries
-- The fence: only rows that the decisions were made on leave their place.
DELETE FROM deliveries
WHERE (message_id, endpoint_id, version) IN (SELECT * FROM (VALUES (?, ?, ?)));

-- name: take_history
-- The fence, for what had finished.
DELETE FROM history
WHERE (message_id, endpoint_id, version) IN (SELECT * FROM (VALUES (?, ?, ?)));

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
