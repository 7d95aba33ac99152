-- The desk: dead letters by issue.

-- name: insert_filed
INSERT OR REPLACE INTO dead_letters
SELECT * FROM (VALUES (?, ?, ?, ?, ?, ?, ?, ?))
WHERE column1 IS NOT NULL;

-- name: filed
SELECT * FROM dead_letters WHERE (message_id, endpoint_id) IN (SELECT * FROM (VALUES (?, ?)));

-- name: unfile
DELETE FROM dead_letters WHERE (message_id, endpoint_id) IN (SELECT * FROM (VALUES (?, ?)));

-- name: filed_of_messages
SELECT * FROM dead_letters WHERE message_id IN (SELECT value FROM json_each(:ids));

-- name: unfile_messages
DELETE FROM dead_letters WHERE message_id IN (SELECT value FROM json_each(:ids));

-- name: list_filed_of_issue
-- Along dead_letters_issue; whether each was discarded is in the index.
SELECT * FROM dead_letters
WHERE issue_id = :issue_id AND (message_id, endpoint_id) > (:message_low, :endpoint_low)
    AND (message_id, endpoint_id) < (:message_high, :endpoint_high)
    AND (discarded_at_us IS NOT NULL) = :discarded
ORDER BY message_id ASC, endpoint_id ASC LIMIT :limit;

-- name: list_discarded
SELECT * FROM dead_letters
WHERE app_id = :app_id AND (message_id, endpoint_id) > (:message_low, :endpoint_low)
    AND (message_id, endpoint_id) < (:message_high, :endpoint_high)
    AND discarded_at_us IS NOT NULL
ORDER BY message_id ASC, endpoint_id ASC LIMIT :limit;

-- name: burdens
-- From dead_letters_burden alone. Amounts are added in two parts, which cannot overflow.
SELECT issue_id, currency, COUNT(*), MIN(died_at_us), MAX(died_at_us),
    SUM(micro / 1000000), SUM(micro % 1000000)
FROM dead_letters
WHERE issue_id IN (SELECT value FROM json_each(:ids)) AND discarded_at_us IS NULL
GROUP BY issue_id, currency;

-- name: nonempty_issues
-- Of these, the ones that have a dead letter.
SELECT value FROM json_each(:ids)
WHERE EXISTS (
    SELECT 1 FROM dead_letters INDEXED BY dead_letters_burden
    WHERE issue_id = value AND discarded_at_us IS NULL);

-- name: present_hot
-- Where these stand, if they are unfinished.
SELECT * FROM deliveries WHERE (message_id, endpoint_id) IN (SELECT * FROM (VALUES (?, ?)));

-- name: present_history
-- Where these stand, if they are finished.
SELECT * FROM history WHERE (message_id, endpoint_id) IN (SELECT * FROM (VALUES (?, ?)));

-- name: payloads_at_stake
-- Payloads of these messages whose event type says where to look for money, with the event type.
SELECT m.id, m.payload, t.document
FROM messages AS m
CROSS JOIN resources AS a ON a.kind = 'application' AND a.id = m.app_id
CROSS JOIN resources AS t ON t.kind = 'event_type' AND t.scope = a.scope AND t.id = m.event_type
WHERE m.id IN (SELECT value FROM json_each(:ids)) AND instr(t.document, '"money":{') > 0;

-- name: issues_by_uids
-- Of every application: a key's digest has its application in it.
SELECT document, version FROM resources
WHERE (kind, scope, uid) IN (SELECT * FROM (VALUES (?, ?, ?)));

-- name: unresolved_issues
-- Walks resources_unresolved, which holds nothing else.
SELECT document, version FROM resources INDEXED BY resources_unresolved
WHERE kind = 'issue' AND json_extract(document, '$.state') <> 'resolved'
    AND id >= :low AND id < :high
ORDER BY id ASC LIMIT :limit;

-- name: merged_issues
SELECT document, version FROM resources INDEXED BY resources_merged
WHERE kind = 'issue' AND json_extract(document, '$.merged_into') IS NOT NULL
    AND json_extract(document, '$.merged_into') IN (SELECT value FROM json_each(:ids))
ORDER BY id;

-- name: find_unfiled
-- Dead, and in no issue.
SELECT message_id, endpoint_id FROM history
WHERE state = 'dead' AND message_id >= :low AND message_id < :high AND NOT EXISTS (
    SELECT 1 FROM dead_letters AS filed
    WHERE filed.message_id = history.message_id AND filed.endpoint_id = history.endpoint_id
        AND discarded_at_us IS NULL)
ORDER BY message_id, endpoint_id LIMIT :limit;

-- name: find_misfiled
-- In an issue, and not dead; or discarded, and not cancelled.
SELECT message_id, endpoint_id FROM dead_letters AS filed
WHERE message_id >= :low AND message_id < :high AND NOT EXISTS (
    SELECT 1 FROM history
    WHERE filed.message_id = history.message_id AND filed.endpoint_id = history.endpoint_id
        AND state = iif(discarded_at_us IS NULL, 'dead', 'cancelled'))
ORDER BY message_id, endpoint_id LIMIT :limit;
