-- Counting what objectives are about.

-- name: seen_end
-- The last of the next $3 lines after the place $1, $2, of transactions that have all ended. The
-- order is by the column, said in full: alone its name would be that of the number it is read as.
SELECT transaction::text::bigint, line FROM delivery_log
WHERE (transaction, line) > ($1::text::xid8, $2)
    AND transaction < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY delivery_log.transaction, delivery_log.line OFFSET $3 - 1 LIMIT 1;

-- name: seen_last
-- The last of all such lines, where there are fewer: found from the end of the index.
SELECT transaction::text::bigint, line FROM delivery_log
WHERE (transaction, line) > ($1::text::xid8, $2)
    AND transaction < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY delivery_log.transaction DESC, delivery_log.line DESC LIMIT 1;

-- name: seen_plain
-- Of the lines after the place $1, $2 up to $3, $4 those that most are: received at the first
-- attempt and in time ($5, $6 as below). They need no more than a count.
SELECT line.at_us - line.at_us % 60000000, line.app_id, count(*)
FROM delivery_log AS line
CROSS JOIN LATERAL (
    SELECT accepted_at_us FROM history AS h
    WHERE h.message_id = line.message_id AND h.endpoint_id = line.endpoint_id LIMIT 1
) AS done
WHERE (line.transaction, line.line) > ($1::text::xid8, $2)
    AND (line.transaction, line.line) <= ($3::text::xid8, $4)
    AND line.op = 'succeeded' AND line.rows_written = 1 AND line.attempt_no = 1
    AND line.at_us - coalesce(line.total_us, 0) - done.accepted_at_us <= $5
    AND line.at_us - done.accepted_at_us <= $6
GROUP BY 1, 2;

-- name: seen
-- Lines after the place $1, $2 up to $3, $4 that are about an attempt, a retry that was taken or a
-- dead letter, alike ones counted, without those of seen_plain; in time is within $5 of being due for the first attempt, within
-- $6 for a 2xx, within $7 for a retry.
-- Of what was good and in time only its minute and application are told apart, so that a busy hour
-- comes back as few rows. Look-ups are LATERAL with a LIMIT: by primary key, row by row, whatever
-- is known of how large the tables are; the || keeps it from walking all attempts of an endpoint.
-- What ends had ended before where its life (delivery_log_life) shows that it left such a state.
WITH lines AS (
    SELECT line.at_us, line.app_id, line.op, line.from_state, line.to_state, line.rows_written,
        line.outcome, line.status, line.reason, line.message_id, line.endpoint_id, line.holder,
        line.attempt_no,
        line.at_us - coalesce(line.total_us, 0) AS began_us,
        coalesce(done.accepted_at_us, hot.accepted_at_us, line.due_at_us) AS accepted_at_us,
        coalesce(done.first_error, hot.first_error) AS error,
        coalesce(done.failures, hot.failures, 0) > 0 AS failed_before,
        line.version_before,
        line.to_state = 'dead' OR coalesce(line.from_state = 'dead', false) AS is_dead,
        coalesce(line.attempt_no = 1 OR line.attempt_no > 1 AND earlier.found IS NULL, false)
            AS is_first
    FROM delivery_log AS line
    LEFT JOIN LATERAL (
        SELECT accepted_at_us, first_error, failures FROM history AS h
        WHERE line.to_state <> 'leased' AND h.message_id = line.message_id AND h.endpoint_id = line.endpoint_id LIMIT 1
    ) AS done ON true
    LEFT JOIN LATERAL (
        SELECT accepted_at_us, first_error, failures FROM deliveries AS d
        WHERE done.accepted_at_us IS NULL AND line.to_state <> 'leased'
            AND d.message_id = line.message_id AND d.endpoint_id = line.endpoint_id LIMIT 1
    ) AS hot ON true
    LEFT JOIN LATERAL (
        SELECT true AS found FROM attempts AS a
        WHERE line.attempt_no > 1 AND a.message_id = line.message_id
            AND a.endpoint_id || '' = line.endpoint_id AND a.number < line.attempt_no LIMIT 1
    ) AS earlier ON true
    WHERE (line.transaction, line.line) > ($1::text::xid8, $2)
        AND (line.transaction, line.line) <= ($3::text::xid8, $4)
        AND (line.attempt_no IS NOT NULL OR line.to_state = 'dead' OR line.from_state = 'dead'
            OR line.to_state = 'leased' AND line.from_state = 'waiting' AND line.lease_epoch > 1)
        AND NOT coalesce(line.op = 'succeeded' AND line.rows_written = 1 AND line.attempt_no = 1
            AND line.at_us - coalesce(line.total_us, 0) - done.accepted_at_us <= $5
            AND line.at_us - done.accepted_at_us <= $6, false)
), timed AS (
    SELECT lines.*,
        CASE WHEN to_state = 'leased' THEN coalesce(at_us - lines.accepted_at_us > $7, false)
            ELSE is_first AND rows_written = 1
                AND coalesce(began_us - greatest(lines.accepted_at_us, m.deliver_at_us) > $5, false)
            END AS late_start,
        op = 'succeeded'
            AND coalesce(at_us - greatest(lines.accepted_at_us, m.deliver_at_us) > $6, false)
            AS late_done
    FROM lines
    LEFT JOIN LATERAL (
        SELECT deliver_at_us FROM messages
        WHERE lines.at_us - lines.accepted_at_us > least($5::bigint, $6::bigint)
            AND messages.id = lines.message_id LIMIT 1
    ) AS m ON true
), marked AS (
    SELECT *, (coalesce(outcome = 'ok', false) OR to_state = 'leased') AND rows_written = 1 AND NOT is_dead
        AND NOT late_start AND NOT late_done AS is_plain
    FROM timed
), told AS (
    SELECT at_us - at_us % 60000000 AS minute_us, app_id, op, from_state, to_state, rows_written,
        outcome, is_first, late_start, late_done,
        CASE WHEN rows_written = 1
            AND (op = 'succeeded' OR to_state = 'dead' AND coalesce(from_state <> 'dead', false))
            THEN EXISTS (
                SELECT FROM delivery_log AS r
                WHERE r.message_id = marked.message_id AND r.endpoint_id = marked.endpoint_id
                    AND r.from_state IS NOT NULL AND r.op NOT IN ('leased', 'succeeded')
                    AND r.from_state IN ('delivered', 'dead', 'cancelled')
                    AND r.rows_written = 1 AND r.version_after <= marked.version_before)
            ELSE false END AS again,
        CASE WHEN NOT is_plain THEN status END AS status,
        CASE WHEN NOT is_plain THEN reason END AS reason,
        CASE WHEN late_start OR late_done THEN (
            SELECT b.to_state FROM delivery_log AS b
            WHERE b.message_id = marked.message_id AND b.endpoint_id = marked.endpoint_id
                AND b.from_state IS NULL AND b.rows_written = 1 LIMIT 1) END AS born,
        CASE WHEN late_done OR is_dead THEN error END AS error,
        (late_done OR is_dead) AND failed_before AS failed_before,
        late_start AND coalesce(attempt_no > 1, false) AS lapsed,
        CASE WHEN late_start OR late_done OR is_dead
            THEN accepted_at_us - accepted_at_us % 60000000 END AS accepted,
        CASE WHEN NOT is_plain THEN endpoint_id END AS endpoint_id,
        CASE WHEN NOT is_plain THEN holder END AS holder,
        CASE WHEN NOT is_plain THEN message_id END AS message_id
    FROM marked
)
SELECT minute_us, app_id, op, from_state, to_state, rows_written, outcome, is_first, late_start,
    late_done, again, count(*), status, reason, born, error, failed_before, lapsed, accepted,
    endpoint_id, holder, max(message_id)
FROM told
GROUP BY minute_us, app_id, op, from_state, to_state, rows_written, outcome, is_first, late_start,
    late_done, again, status, reason, born, error, failed_before, lapsed, accepted, endpoint_id,
    holder;

-- name: add_tallies
-- Rows of the array are distinct. Sorted, so that two who write do not lock each other.
INSERT INTO tallies
SELECT * FROM unnest(
    $1::text[], $2::integer[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bigint[])
ORDER BY 1, 2, 3, 4, 5, 6
ON CONFLICT (scope, grain_s, at_us, sli, owner, rule)
DO UPDATE SET count = tallies.count + excluded.count;

-- name: forget_tallies
DELETE FROM tallies WHERE grain_s = $1 AND at_us < $2;

-- name: tallied
SELECT sli, owner, rule, sum(count)::bigint FROM tallies
WHERE scope = $1 AND grain_s = $2 AND at_us >= $3 AND at_us < $4
GROUP BY sli, owner, rule;

-- name: tally_series
-- One SLI by time: a range of the primary key, whose other SLIs are passed over.
SELECT at_us, owner, sum(count)::bigint FROM tallies
WHERE scope = $1 AND grain_s = $2 AND at_us >= $3 AND at_us < $4 AND sli = $5
GROUP BY at_us, owner ORDER BY at_us, owner;
