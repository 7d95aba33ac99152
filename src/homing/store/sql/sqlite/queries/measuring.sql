-- Counting what objectives are about.

-- name: seen_end
-- The last of the next lines, and how many they are.
SELECT max(line), count(*) FROM (
    SELECT line FROM delivery_log WHERE line > :line ORDER BY line LIMIT :limit
);

-- name: seen_plain
-- Of the lines after :line up to :end those that most are: received at the first attempt and in
-- time. They need no more than a count, which costs a tenth of looking at each.
SELECT line.at_us - line.at_us % 60000000, line.app_id, count(*)
FROM delivery_log AS line
INNER JOIN history AS done
    ON done.message_id = line.message_id AND done.endpoint_id = line.endpoint_id
WHERE line.line > :line AND line.line <= :end
    AND line.op = 'succeeded' AND line.rows_written = 1 AND line.attempt_no = 1
    AND line.at_us - coalesce(line.total_us, 0) - done.accepted_at_us <= :first_us
    AND line.at_us - done.accepted_at_us <= :delivered_us
GROUP BY 1, 2;

-- name: seen
-- Lines after :line up to :end that are about an attempt, a retry that was taken or a dead letter,
-- alike ones counted, without those of seen_plain. What was taken counts from when it was due.
-- Of what was good and in time only its minute and application are told apart, so that a busy hour
-- comes back as few rows. What ends had ended before where its life (delivery_log_life) shows that it
-- left such a state. What an attempt belongs to is looked up by primary key; the message and
-- the line of birth only where something was late. The + keeps SQLite from walking all attempts of
-- an endpoint.
WITH lines AS MATERIALIZED (
    SELECT line.at_us, line.app_id, line.op, line.from_state, line.to_state, line.rows_written,
        line.outcome, line.status, line.reason, line.message_id, line.endpoint_id, line.holder,
        line.attempt_no,
        line.at_us - coalesce(line.total_us, 0) AS began_us,
        coalesce(done.accepted_at_us, hot.accepted_at_us, line.due_at_us) AS accepted_at_us,
        coalesce(done.first_error, hot.first_error) AS error,
        coalesce(done.failures, hot.failures, 0) > 0 AS failed_before,
        line.version_before,
        line.to_state = 'dead' OR line.from_state = 'dead' AS is_dead,
        line.attempt_no = 1 OR line.attempt_no > 1 AND NOT EXISTS (
            SELECT 1 FROM attempts
            WHERE attempts.message_id = line.message_id
                AND +attempts.endpoint_id = line.endpoint_id AND attempts.number < line.attempt_no
        ) AS is_first
    FROM delivery_log AS line
    LEFT JOIN history AS done
        ON line.to_state <> 'leased' AND done.message_id = line.message_id AND done.endpoint_id = line.endpoint_id
    LEFT JOIN deliveries AS hot
        ON line.to_state <> 'leased' AND hot.message_id = line.message_id AND hot.endpoint_id = line.endpoint_id
    WHERE line.line > :line AND line.line <= :end
        AND (line.attempt_no IS NOT NULL OR line.to_state = 'dead' OR line.from_state = 'dead'
            OR line.to_state = 'leased' AND line.from_state = 'waiting' AND line.lease_epoch > 1)
        AND NOT coalesce(line.op = 'succeeded' AND line.rows_written = 1 AND line.attempt_no = 1
            AND line.at_us - coalesce(line.total_us, 0) - done.accepted_at_us <= :first_us
            AND line.at_us - done.accepted_at_us <= :delivered_us, 0)
), timed AS MATERIALIZED (
    SELECT lines.*,
        CASE WHEN to_state = 'leased' THEN at_us - lines.accepted_at_us > :retry_us
            ELSE coalesce(is_first, 0) AND rows_written = 1
                AND began_us - max(lines.accepted_at_us, coalesce(deliver_at_us, 0)) > :first_us
            END AS late_start,
        op = 'succeeded'
            AND at_us - max(lines.accepted_at_us, coalesce(deliver_at_us, 0)) > :delivered_us
            AS late_done
    FROM lines LEFT JOIN messages ON messages.id = CASE
        WHEN at_us - lines.accepted_at_us > min(:first_us, :delivered_us) THEN message_id END
), marked AS (
    SELECT *, (outcome = 'ok' OR to_state = 'leased') AND rows_written = 1 AND NOT is_dead
        AND NOT coalesce(late_start, 0) AND NOT coalesce(late_done, 0) AS is_plain
    FROM timed
)
SELECT at_us - at_us % 60000000, app_id, op, from_state, to_state, rows_written, outcome,
    coalesce(is_first, 0), coalesce(late_start, 0), coalesce(late_done, 0),
    rows_written = 1
        AND (op = 'succeeded' OR to_state = 'dead' AND coalesce(from_state <> 'dead', 0))
        AND EXISTS (
            SELECT 1 FROM delivery_log AS revived
            WHERE revived.message_id = marked.message_id
                AND revived.endpoint_id = marked.endpoint_id
                AND revived.from_state IS NOT NULL
                AND revived.op NOT IN ('leased', 'succeeded')
                AND revived.from_state IN ('delivered', 'dead', 'cancelled')
                AND revived.rows_written = 1 AND revived.version_after <= marked.version_before),
    count(*),
    CASE WHEN NOT is_plain THEN status END,
    CASE WHEN NOT is_plain THEN reason END,
    CASE WHEN late_start OR late_done THEN (
        SELECT born.to_state FROM delivery_log AS born
        WHERE born.message_id = marked.message_id AND born.endpoint_id = marked.endpoint_id
            AND born.from_state IS NULL AND born.rows_written = 1 LIMIT 1) END,
    CASE WHEN late_done OR is_dead THEN error END,
    CASE WHEN late_done OR is_dead THEN failed_before ELSE 0 END,
    CASE WHEN late_start THEN coalesce(attempt_no > 1, 0) ELSE 0 END,
    CASE WHEN late_start OR late_done OR is_dead THEN accepted_at_us - accepted_at_us % 60000000 END,
    CASE WHEN NOT is_plain THEN endpoint_id END,
    CASE WHEN NOT is_plain THEN holder END,
    max(CASE WHEN NOT is_plain THEN message_id END)
FROM marked
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17, 18, 19, 20, 21;

-- name: add_tally
INSERT INTO tallies VALUES (:scope, :grain_s, :at_us, :sli, :owner, :rule, :count)
ON CONFLICT DO UPDATE SET count = count + excluded.count;

-- name: forget_tallies
DELETE FROM tallies WHERE grain_s = :grain_s AND at_us < :until_us;

-- name: tallied
SELECT sli, owner, rule, sum(count) FROM tallies
WHERE scope = :scope AND grain_s = :grain_s AND at_us >= :since_us AND at_us < :until_us
GROUP BY sli, owner, rule;

-- name: tally_series
-- One SLI by time: a range of the primary key, whose other SLIs are passed over.
SELECT at_us, owner, sum(count) FROM tallies
WHERE scope = :scope AND grain_s = :grain_s AND at_us >= :since_us AND at_us < :until_us
    AND sli = :sli
GROUP BY at_us, owner ORDER BY at_us, owner;
