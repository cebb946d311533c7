-- name: view_forward
-- The newest snapshot of each account; an older one, or the same again, changes nothing and is not returned.
INSERT INTO view AS v (partition, account, version, message)
SELECT * FROM unnest($1::smallint[], $2::text[], $3::bigint[], $4::bytea[])
ON CONFLICT (partition, account) DO UPDATE SET version = excluded.version, message = excluded.message
WHERE v.version < excluded.version
RETURNING account;

-- name: views
-- The latest snapshot of accounts that are looked at though nothing arrived.
SELECT partition, account, message FROM view
WHERE partition = ANY($1::smallint[]) AND account = ANY($2::text[]);

-- name: freshness_forward
-- How far each stream has been seen in the snapshots of a partition.
INSERT INTO stream_freshness AS f (partition, stream, newest)
SELECT * FROM unnest($1::smallint[], $2::text[], $3::timestamptz[])
ON CONFLICT (partition, stream) DO UPDATE SET newest = excluded.newest WHERE f.newest < excluded.newest;

-- name: clocks
-- The newest time of each stream in each partition: an account's ages run to what its own partition has shown.
SELECT partition, stream, newest FROM stream_freshness;

-- name: partitions
-- How many partitions the topic has, for life.
SELECT max(partitions) FROM position;

-- name: fire
-- Which notables are new to which rules.
INSERT INTO fired (account, rule, notable, at)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
ON CONFLICT DO NOTHING
RETURNING account, rule, notable;

-- name: due
-- Whose look is due, each clock read by itself: the wall's, and each stream's as the partition has shown it.
SELECT DISTINCT l.partition, l.account
FROM unnest($1::smallint[]) AS p (partition)
CROSS JOIN LATERAL (
    SELECT '' AS clock, $2::timestamptz AS reads
    UNION ALL
    SELECT f.stream, least(f.newest, $2) FROM stream_freshness f WHERE f.partition = p.partition
) AS c
JOIN look l ON l.partition = p.partition AND l.clock = c.clock AND l.at <= c.reads
LIMIT $3;

-- name: looks_delete
-- First half of setting the looks of accounts anew.
DELETE FROM look WHERE partition = ANY($1::smallint[]) AND account = ANY($2::text[]);

-- name: looks_set
-- Second half of setting the looks of accounts anew; what a person has asked for in between stays, if it is earlier.
INSERT INTO look AS l (partition, account, clock, at)
SELECT * FROM unnest($1::smallint[], $2::text[], $3::text[], $4::timestamptz[])
ON CONFLICT (partition, account, clock) DO UPDATE SET at = least(l.at, excluded.at);

-- name: look_now
-- A person changed something: the worker has to tell it, and to find out when to look next.
INSERT INTO look AS l (partition, account, clock, at) VALUES ($1, $2, '', $3)
ON CONFLICT (partition, account, clock) DO UPDATE SET at = least(l.at, excluded.at);

-- name: lock_open_alerts
-- Open alerts of accounts, locked in one order, so that the API and the worker never wait for each other in a ring.
SELECT * FROM alert WHERE account = ANY($1::text[]) AND state <> 'resolved' ORDER BY id FOR UPDATE;

-- name: lock_alert
-- One alert, for a person who changes it.
SELECT * FROM alert WHERE id = $1 FOR UPDATE;

-- name: alerts
-- Alerts by id, as they stand.
SELECT * FROM alert WHERE id = ANY($1::text[]);

-- name: cases
-- The cases of alerts.
SELECT * FROM work_case WHERE alert = ANY($1::text[]);

-- name: steps
-- The steps of cases, in order.
SELECT * FROM step WHERE case_id = ANY($1::text[]) ORDER BY case_id, n;

-- name: changes
-- Every move of one alert, in order.
SELECT * FROM change WHERE alert = $1 ORDER BY number;

-- name: past
-- Earlier openings: how many there were, and when the last was told.
SELECT account, rule, key, max(n) AS openings, max(told_at) AS told_at
FROM alert WHERE account = ANY($1::text[]) GROUP BY account, rule, key;

-- name: untold
-- Changes made over the API that are messages nobody has sent yet.
SELECT c.* FROM change c JOIN alert a ON a.id = c.alert
WHERE c.tells IS NOT NULL AND c.told_at IS NULL AND a.account = ANY($1::text[])
ORDER BY c.alert, c.number;

-- name: tell
-- The messages of these changes are in the outbox of this very transaction.
UPDATE change c SET told_at = $3
FROM unnest($1::text[], $2::integer[]) AS t (alert, number) WHERE c.alert = t.alert AND c.number = t.number;

-- name: write_alerts
-- New alerts and the new state of old ones; who and what an alert is about never changes.
INSERT INTO alert AS a (id, partition, account, rule, rule_version, key, n, state, since, opened_at, priority, owner, cause,
    words, triggered_by, quiet, gate, gate_since, gate_until, gate_reason, gate_actor, told_at, last_change)
SELECT id, partition, account, rule, rule_version, key, n, state, since, opened_at, priority, owner, cause,
    words, triggered_by, quiet, gate, gate_since, gate_until, gate_reason, gate_actor, told_at, last_change
FROM jsonb_to_recordset($1::jsonb) AS r (id text, partition smallint, account text, rule text, rule_version integer,
    key text, n integer, state text, since timestamptz, opened_at timestamptz, priority text, owner text, cause text,
    words text, triggered_by text[], quiet text, gate text, gate_since timestamptz, gate_until timestamptz,
    gate_reason text, gate_actor text, told_at timestamptz, last_change integer)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, since = excluded.since, quiet = excluded.quiet,
    gate = excluded.gate, gate_since = excluded.gate_since, gate_until = excluded.gate_until,
    gate_reason = excluded.gate_reason, gate_actor = excluded.gate_actor, told_at = excluded.told_at,
    last_change = excluded.last_change;

-- name: write_changes
-- Every move is a row of its own.
INSERT INTO change (alert, number, event, before, after, why, actor, at, tells)
SELECT alert, number, event, before, after, why, actor, at, tells
FROM jsonb_to_recordset($1::jsonb) AS r (alert text, number integer, event text, before text, after text, why text,
    actor text, at timestamptz, tells text);

-- name: write_cases
-- New cases and the new state of old ones.
INSERT INTO work_case (id, alert, rule, playbook, playbook_version, owner, state, opened_at, due_at, started_at, started_by,
    is_overdue, closed_at, closed_by, outcome, reason)
SELECT id, alert, rule, playbook, playbook_version, owner, state, opened_at, due_at, started_at, started_by,
    is_overdue, closed_at, closed_by, outcome, reason
FROM jsonb_to_recordset($1::jsonb) AS r (id text, alert text, rule text, playbook text, playbook_version integer,
    owner text, state text, opened_at timestamptz, due_at timestamptz, started_at timestamptz, started_by text,
    is_overdue boolean, closed_at timestamptz, closed_by text, outcome text, reason text)
ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, state = excluded.state, due_at = excluded.due_at,
    started_at = excluded.started_at, started_by = excluded.started_by, is_overdue = excluded.is_overdue,
    closed_at = excluded.closed_at, closed_by = excluded.closed_by, outcome = excluded.outcome, reason = excluded.reason;

-- name: write_steps
-- New steps and the new state of old ones.
INSERT INTO step (case_id, n, kind, title, audience, due_at, state, reason)
SELECT "case", n, kind, title, audience, due_at, state, reason
FROM jsonb_to_recordset($1::jsonb) AS r ("case" text, n smallint, kind text, title text, audience text,
    due_at timestamptz, state text, reason text)
ON CONFLICT (case_id, n) DO UPDATE SET due_at = excluded.due_at, state = excluded.state, reason = excluded.reason;

-- name: rule_record
-- How a rule's cases ended: its share of "no problem" is its false alarms.
SELECT count(*) AS closed, count(*) FILTER (WHERE reason = 'not_a_problem') AS not_a_problem
FROM work_case WHERE rule = $1 AND state = 'closed';
