-- The desk: dead letters by issue.

-- name: insert_filed
INSERT INTO dead_letters SELECT * FROM unnest($1::dead_letters[])
ON CONFLICT (message_id, endpoint_id) DO UPDATE SET (
    app_id, issue_id, died_at_us, currency, micro, discarded_at_us) = (
    excluded.app_id, excluded.issue_id, excluded.died_at_us, excluded.currency, excluded.micro,
    excluded.discarded_at_us);

-- name: filed
SELECT f.* FROM unnest($1::text[], $2::text[]) AS given (message_id, endpoint_id)
JOIN dead_letters AS f ON f.message_id = given.message_id AND f.endpoint_id = given.endpoint_id;

-- name: unfile
DELETE FROM dead_letters AS f
USING unnest($1::text[], $2::text[]) AS given (message_id, endpoint_id)
WHERE f.message_id = given.message_id AND f.endpoint_id = given.endpoint_id;

-- name: filed_of_messages
SELECT * FROM dead_letters WHERE message_id = ANY ($1::text[]);

-- name: unfile_messages
DELETE FROM dead_letters WHERE message_id = ANY ($1::text[]);

-- name: list_filed_of_issue
-- Along dead_letters_issue; whether each was discarded is in the index.
SELECT * FROM dead_letters
WHERE issue_id = $1 AND (message_id, endpoint_id) > ($2, $3)
    AND (message_id, endpoint_id) < ($4, $5) AND (discarded_at_us IS NOT NULL) = $7
ORDER BY message_id ASC, endpoint_id ASC LIMIT $6;

-- name: list_discarded
SELECT * FROM dead_letters
WHERE app_id = $1 AND (message_id, endpoint_id) > ($2, $3)
    AND (message_id, endpoint_id) < ($4, $5) AND discarded_at_us IS NOT NULL
ORDER BY message_id ASC, endpoint_id ASC LIMIT $6;

-- name: burdens
-- From dead_letters_burden alone. Amounts are added in two parts, as in SQLite.
SELECT issue_id, currency, count(*), min(died_at_us), max(died_at_us),
    sum(micro / 1000000)::bigint, sum(micro % 1000000)::bigint
FROM dead_letters
WHERE issue_id = ANY ($1::text[]) AND discarded_at_us IS NULL
GROUP BY issue_id, currency;

-- name: nonempty_issues
-- Of these, the ones that have a dead letter.
SELECT id FROM unnest($1::text[]) AS given (id)
WHERE (
    SELECT true FROM dead_letters AS f
    WHERE f.issue_id = given.id AND f.discarded_at_us IS NULL LIMIT 1
);

-- name: payloads_at_stake
-- Payloads of these messages whose event type says where to look for money, with the event type.
SELECT m.id, m.payload, t.document
FROM messages AS m
JOIN resources AS a ON a.kind = 'application' AND a.id = m.app_id
JOIN resources AS t ON t.kind = 'event_type' AND t.scope = a.scope AND t.id = m.event_type
WHERE m.id = ANY ($1::text[]) AND strpos(t.document, '"money":{') > 0;

-- name: lock_issues_by_uids
-- Whoever files under one of these, or takes the last one out of it, waits here. After the letters,
-- always; each by a statement of its own, whose snapshot sees what was committed by then.
SELECT version, document FROM resources AS r
JOIN unnest($1::text[], $2::text[]) AS given (scope, uid) ON given.scope = r.scope AND given.uid = r.uid
WHERE r.kind = 'issue' ORDER BY r.id FOR UPDATE OF r;

-- name: lock_issues
SELECT version, document FROM resources
WHERE kind = 'issue' AND id = ANY ($1::text[]) ORDER BY id FOR UPDATE;

-- name: unresolved_issues
-- Walks resources_unresolved, which holds nothing else.
SELECT version, document FROM resources
WHERE kind = 'issue' AND document::jsonb ->> 'state' IN ('open', 'acknowledged', 'muted')
    AND id >= $1 AND id < $2
ORDER BY id ASC LIMIT $3;

-- name: merged_issues
SELECT version, document FROM resources
WHERE kind = 'issue' AND document::jsonb ->> 'merged_into' IS NOT NULL
    AND document::jsonb ->> 'merged_into' = ANY ($1::text[])
ORDER BY id;
