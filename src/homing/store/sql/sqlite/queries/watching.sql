-- How endpoints are. Every statement stops at a bound that it is given.

-- name: count_lane
SELECT count(*), min(ready_at_us) FROM (
    SELECT ready_at_us FROM deliveries
    WHERE state = :state AND app_id = :app_id AND endpoint_id = :endpoint_id
        AND ready_at_us IS NOT NULL
    ORDER BY ready_at_us LIMIT :most);

-- name: count_parked
SELECT count(*) FROM (
    SELECT 1 FROM deliveries
    WHERE state = 'parked' AND app_id = :app_id AND endpoint_id = :endpoint_id LIMIT :most);

-- name: count_dead_since
-- Dead letters of messages with this id or a later one.
SELECT count(*) FROM (
    SELECT 1 FROM history
    WHERE state = 'dead' AND endpoint_id = :endpoint_id AND message_id >= :low LIMIT :most);

-- name: count_newest_attempts
SELECT reason, count(*) FROM (
    SELECT reason FROM attempts
    WHERE endpoint_id = :endpoint_id AND id >= :low AND id < :high ORDER BY id DESC LIMIT :most)
GROUP BY reason;

-- name: sample_attempts
SELECT reason, status, total_us FROM attempts
WHERE endpoint_id = :endpoint_id AND id >= :low AND id < :high ORDER BY id DESC LIMIT :most;

-- name: count_failures
SELECT reason, status, count(*) FROM (
    SELECT reason, status FROM attempts
    WHERE endpoint_id = :endpoint_id AND id >= :low AND reason <> 'ok' ORDER BY id DESC LIMIT :most)
GROUP BY reason, status;
