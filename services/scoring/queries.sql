-- name: already_live
-- Of imported usage, what has arrived live before: the archive has two tables, an identity only one place.
UPDATE usage_event e SET seen = e.seen + a.times
FROM unnest($1::date[], $2::bigint[], $3::integer[]) AS a (day, hash, times)
WHERE e.day = a.day AND e.hash = a.hash
RETURNING e.day, e.hash;

-- name: already_kept
-- Of live usage, what an import has brought before.
UPDATE event e SET seen = e.seen + a.times
FROM unnest($1::date[], $2::bigint[], $3::integer[]) AS a (day, hash, times)
WHERE e.day = a.day AND e.hash = a.hash
RETURNING e.day, e.hash;

-- name: archive_usage
-- Keeps live usage; a row that was there comes back with a greater `seen` than was given: a duplicate.
INSERT INTO usage_event AS e (day, hash, partition, account, log_offset, applied_at, seen, body)
SELECT day, hash, partition, account, log_offset, $8, times, body
FROM unnest($1::date[], $2::bigint[], $3::smallint[], $4::text[], $5::bigint[], $6::integer[], $7::bytea[])
    AS a (day, hash, partition, account, log_offset, times, body)
ON CONFLICT (day, hash) DO UPDATE SET seen = e.seen + excluded.seen
RETURNING day, hash, seen;

-- name: archive_event
-- Keeps everything else, imports included.
INSERT INTO event AS e (day, hash, partition, account, log_offset, applied_at, seen, body)
SELECT day, hash, partition, account, log_offset, $8, times, body
FROM unnest($1::date[], $2::bigint[], $3::smallint[], $4::text[], $5::bigint[], $6::integer[], $7::bytea[])
    AS a (day, hash, partition, account, log_offset, times, body)
ON CONFLICT (day, hash) DO UPDATE SET seen = e.seen + excluded.seen
RETURNING day, hash, seen;

-- name: archive_parts
-- The parts that exist of both archive tables.
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent IN ('usage_event'::regclass, 'event'::regclass);

-- name: watermark_raise
-- How far each stream has been read in these partitions.
INSERT INTO watermark AS w (partition, stream, newest, events)
SELECT * FROM unnest($1::smallint[], $2::text[], $3::timestamptz[], $4::bigint[])
ON CONFLICT (partition, stream) DO UPDATE
SET newest = greatest(w.newest, excluded.newest), events = w.events + excluded.events;

-- name: watermarks
-- Newest time per stream and partition.
SELECT partition, stream, newest FROM watermark;

-- name: load_fresh
-- What nobody has merged yet.
SELECT account, body FROM fresh WHERE partition = ANY($1::smallint[]) AND account = ANY($2::text[]);

-- name: load_state
-- Settled records.
SELECT account, kind, key, body FROM state WHERE partition = ANY($1::smallint[]) AND account = ANY($2::text[]);

-- name: load_published
-- What was said last, and which import keeps the account quiet.
SELECT account, version, look_at, importing, snapshot FROM published WHERE account = ANY($1::text[]);

-- name: load_past
-- The scores that held one, seven, thirty and ninety days ago.
SELECT a.account, d.days, h.score
FROM unnest($1::text[]) AS a (account)
CROSS JOIN (VALUES (1), (7), (30), (90)) AS d (days)
CROSS JOIN LATERAL (
    SELECT score FROM history h
    WHERE h.account = a.account AND h.version <= $2::bigint - d.days * 86400000000
    ORDER BY h.version DESC LIMIT 1
) h;

-- name: write_fresh
-- Rewritten in place by almost every batch.
INSERT INTO fresh (partition, account, body)
SELECT * FROM unnest($1::smallint[], $2::text[], $3::bytea[])
ON CONFLICT (partition, account) DO UPDATE SET body = excluded.body;

-- name: write_state
-- Settles records.
INSERT INTO state (partition, account, kind, key, body)
SELECT * FROM unnest($1::smallint[], $2::text[], $3::text[], $4::text[], $5::bytea[])
ON CONFLICT (partition, account, kind, key) DO UPDATE SET body = excluded.body;

-- name: write_published
-- The new snapshot of each account.
INSERT INTO published (account, partition, version, as_of, look_at, importing, score, band, segment, lifecycle, owner,
                       name, arr, snapshot)
SELECT * FROM unnest($1::text[], $2::smallint[], $3::bigint[], $4::timestamptz[], $5::timestamptz[], $6::bytea[],
                     $7::integer[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::numeric[],
                     $14::bytea[])
ON CONFLICT (account) DO UPDATE SET
    version = excluded.version, as_of = excluded.as_of, look_at = excluded.look_at, importing = excluded.importing,
    score = excluded.score, band = excluded.band, segment = excluded.segment, lifecycle = excluded.lifecycle,
    owner = excluded.owner, name = excluded.name, arr = excluded.arr, snapshot = excluded.snapshot;

-- name: write_looks
-- Nothing new to say: only when to look again.
UPDATE published p SET look_at = a.look_at, importing = a.importing
FROM unnest($1::text[], $2::timestamptz[], $3::bytea[]) AS a (account, look_at, importing)
WHERE p.account = a.account AND (p.look_at, p.importing) IS DISTINCT FROM (a.look_at, a.importing);

-- name: put_off
-- Looking failed: not at once again.
UPDATE published p SET look_at = a.look_at
FROM unnest($1::text[], $2::timestamptz[]) AS a (account, look_at) WHERE p.account = a.account;

-- name: write_history
-- Everything we ever said.
INSERT INTO history (account, version, as_of, score, band, cause, model, body)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::integer[], $5::text[], $6::text[], $7::text[],
                     $8::bytea[]);

-- name: due
-- Whose look is due.
SELECT partition, account FROM published
WHERE partition = ANY($1::smallint[]) AND look_at <= $2 ORDER BY look_at LIMIT $3;

-- name: walk
-- All accounts of a partition, page by page: every one is looked at once after a take-over.
SELECT account FROM published WHERE partition = $1 AND account > $2 ORDER BY account LIMIT $3;

-- name: active_version
-- Which catalogue the next batch reads by.
SELECT version FROM definition WHERE active;

-- name: definition_body
-- A version's catalogue.
SELECT body FROM definition WHERE version = $1;

-- name: definition_add
-- Versions are immutable: the same content is the same version.
INSERT INTO definition (version, body) VALUES ($1, $2) ON CONFLICT (version) DO NOTHING;

-- name: definition_deactivate
-- First half of an activation.
UPDATE definition SET active = false WHERE active AND version <> $1;

-- name: definition_activate
-- Second half of an activation.
UPDATE definition SET active = true WHERE version = $1 AND NOT active;

-- name: all_due
-- A new version is active: everybody is looked at.
UPDATE published SET look_at = least(look_at, $1);

-- name: one_health
-- What was said last of one account, and how far its partition has been read.
SELECT snapshot, partition, as_of, look_at FROM published WHERE account = $1;

-- name: some_health
-- The same of many.
SELECT account, snapshot FROM published WHERE account = ANY($1::text[]);

-- name: next_offsets
-- How far the partitions of a topic are applied.
SELECT partition, next_offset FROM position WHERE topic = $1;

-- name: history_page
-- What was said of one account, newest first.
SELECT version, body FROM history WHERE account = $1 AND version < $2 ORDER BY version DESC LIMIT $3;

-- name: trace
-- One event by its identity, in whichever table it is kept.
SELECT day, partition, account, log_offset, applied_at, seen, body FROM usage_event WHERE hash = $1
UNION ALL
SELECT day, partition, account, log_offset, applied_at, seen, body FROM event WHERE hash = $1;

-- name: said_after
-- The first snapshot that covers an event.
SELECT version, body FROM history WHERE account = $1 AND as_of >= $2 ORDER BY version LIMIT 1;
