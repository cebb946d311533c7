-- name: lock_aliases
-- Park and bind of one alias wait for each other: nothing is parked under an alias that has just been bound.
-- The keys come sorted, so that two transactions with several aliases never wait in a ring.
SELECT count(pg_advisory_xact_lock(key)) FROM unnest($1::bigint[]) AS key;

-- name: bind
-- Binds aliases. The later of two links counts, whichever comes first; at the same time the greater id does.
INSERT INTO alias (source, kind, external_id, id, linked_at)
SELECT DISTINCT ON (source, kind, external_id) source, kind, external_id, id, linked_at
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
    AS l (source, kind, external_id, id, linked_at)
ORDER BY source, kind, external_id, linked_at DESC, id DESC
ON CONFLICT (source, kind, external_id) DO UPDATE SET id = excluded.id, linked_at = excluded.linked_at
WHERE (excluded.linked_at, excluded.id) > (alias.linked_at, alias.id);

-- name: accounts_of
-- The accounts that aliases are bound to; an alias that is not bound is not returned.
SELECT a.source, a.external_id, a.id
FROM alias a JOIN unnest($1::text[], $2::text[]) AS w (source, external_id) USING (source, external_id)
WHERE a.kind = 'account';

-- name: set_aside
-- Keeps what could not be taken, once per origin.
INSERT INTO aside (origin, topic, partition, record_offset, actor, reason, pointer, value, expected,
    alias_source, alias_id, source, event_id, type, time, payload, version, received_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::smallint[], $4::bigint[], $5::text[], $6::text[], $7::text[],
    $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::timestamptz[],
    $16::bytea[], $17::text[], $18::timestamptz[])
ON CONFLICT (origin) DO NOTHING;

-- name: counted_before
-- What is counted of quarantined sources, held until the count is moved on.
SELECT origin, record_offset, value FROM aside WHERE origin = ANY($1::text[]) ORDER BY origin FOR UPDATE;

-- name: count_refused
-- One row per quarantined source and partition: the first offset, the count so far, the newest bytes.
INSERT INTO aside (origin, topic, partition, record_offset, actor, reason, pointer, value, expected, source, payload,
    version, received_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::smallint[], $4::bigint[], $5::text[], $6::text[], $7::text[],
    $8::text[], $9::text[], $10::text[], $11::bytea[], $12::text[], $13::timestamptz[])
ON CONFLICT (origin) DO UPDATE SET value = excluded.value, payload = excluded.payload, version = excluded.version,
    received_at = excluded.received_at, state = 'open', settled_at = NULL, settled_by = NULL;

-- name: releasable
-- Open rows whose alias is bound by now, oldest first; rows that another process is releasing are left to it.
SELECT s.id, s.payload, s.actor, s.received_at, a.id AS account
FROM aside s JOIN alias a ON a.source = s.alias_source AND a.external_id = s.alias_id AND a.kind = 'account'
WHERE s.state = 'open' AND s.alias_id IS NOT NULL
ORDER BY s.id LIMIT $1
FOR UPDATE OF s SKIP LOCKED;

-- name: settle
-- Marks rows as done with; a row that is already settled stays as it is.
UPDATE aside SET state = $2, settled_at = $3, settled_by = $4 WHERE id = ANY($1::bigint[]) AND state = 'open';

-- name: open_by_ids
-- The open ones among these rows, held until the replay has ended.
SELECT id, topic, reason, expected, payload, actor, received_at FROM aside
WHERE id = ANY($1::bigint[]) AND state = 'open' ORDER BY id FOR UPDATE;

-- name: open_by_reason
-- The next open rows with this reason, held until the replay has ended.
SELECT id, topic, reason, expected, payload, actor, received_at FROM aside
WHERE reason = $1 AND id > $2 AND state = 'open' ORDER BY id LIMIT $3 FOR UPDATE;

-- name: states_of
-- What has become of rows.
SELECT id, state FROM aside WHERE id = ANY($1::bigint[]);

-- name: refuse_again
-- A replay that is refused again leaves the newest reason, so that one can see what is still wrong.
UPDATE aside s
SET reason = n.reason, pointer = n.pointer, value = n.value, expected = n.expected,
    alias_source = n.alias_source, alias_id = n.alias_id, version = n.version
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
    AS n (id, reason, pointer, value, expected, alias_source, alias_id, version)
WHERE s.id = n.id AND s.state = 'open' AND s.reason <> 'quarantined';

-- name: list_aside
-- One page, newest first, without the bytes.
SELECT id, topic, partition, record_offset, actor, reason, pointer, value, expected, alias_source, alias_id, source,
    event_id, type, time, length(payload) AS size, version, state, received_at, settled_at, settled_by,
    CASE WHEN $6 THEN payload END AS payload
FROM aside
WHERE ($1::text IS NULL OR reason = $1) AND ($2::text IS NULL OR state = $2) AND ($3::text IS NULL OR source = $3)
    AND id < $4
ORDER BY id DESC LIMIT $5;

-- name: one_aside
-- One row, with its bytes where they are asked for.
SELECT id, topic, partition, record_offset, actor, reason, pointer, value, expected, alias_source, alias_id, source,
    event_id, type, time, length(payload) AS size, version, state, received_at, settled_at, settled_by,
    CASE WHEN $2 THEN payload END AS payload
FROM aside WHERE id = $1;

-- name: note_look
-- Original bytes may name people: who looked at them is kept.
INSERT INTO audit (actor, what, about) VALUES ($1, 'aside.payload_read', jsonb_build_object('ids', $2::bigint[]));
