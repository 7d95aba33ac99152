-- Taking what is due, within shares and limits.

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
