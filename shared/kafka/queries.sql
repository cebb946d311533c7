-- name: claim
-- Moves the positions of a batch. A row that somebody else has moved, in offset or in seq, is not returned.
-- The rows are locked in order first: an UPDATE alone locks in the order of its plan, and two of them deadlock.
WITH asked AS (
    SELECT * FROM unnest($3::smallint[], $4::bigint[], $5::bigint[], $6::bigint[])
        AS a (partition, from_offset, from_seq, to_offset)
), locked AS MATERIALIZED (
    SELECT p.partition, p.next_offset, p.seq, asked.from_offset, asked.from_seq, asked.to_offset
    FROM position p JOIN asked USING (partition)
    WHERE p.topic = $2 AND p.log_id = $1
    ORDER BY p.partition
    FOR UPDATE OF p
)
UPDATE position p
SET next_offset = locked.to_offset, seq = p.seq + 1
FROM locked
WHERE p.topic = $2 AND p.partition = locked.partition
  AND locked.next_offset = locked.from_offset AND locked.seq = locked.from_seq
RETURNING p.partition;

-- name: begin_positions
-- Rows start at 0 only where none exist: a known position is never reset.
INSERT INTO position (log_id, topic, partition, next_offset, seq, partitions)
SELECT $1, $2, partition, 0, 0, $3::int FROM generate_series(0, $3::int - 1) AS partition
ON CONFLICT (topic, partition) DO NOTHING;

-- name: positions
-- Where the partitions of a topic stand, and under which log.
SELECT partition, log_id, next_offset, seq, partitions FROM position WHERE topic = $1 ORDER BY partition;

-- name: outbox_store
-- Keeps what is to be published until the broker has acknowledged it; numbers come back in the order given.
WITH given AS (
    SELECT * FROM unnest($1::smallint[], $2::text[], $3::smallint[], $4::bytea[], $5::bytea[])
        WITH ORDINALITY AS g (partition, topic, target, key, value, ord)
)
INSERT INTO outbox (partition, topic, target, key, value)
SELECT partition, topic, target, key, value FROM given ORDER BY ord
RETURNING n;

-- name: outbox_leftovers
-- What earlier batches of these partitions committed, without what this worker has seen acknowledged.
SELECT n, partition, topic, target, key, value FROM outbox
WHERE partition = ANY($1::smallint[]) AND n <> ALL($2::bigint[]) ORDER BY n LIMIT $3;

-- name: outbox_delete
-- Rows that the broker has acknowledged.
DELETE FROM outbox WHERE n = ANY($1::bigint[]);

-- name: set_aside
-- Keeps records that cannot be settled, in the transaction that moves the position past them.
INSERT INTO set_aside (log_id, topic, partition, record_offset, source, reason, key, value, at)
SELECT $1, topic, partition, record_offset, source, reason, key, value, clock_timestamp()
FROM unnest($2::text[], $3::smallint[], $4::bigint[], $5::text[], $6::text[], $7::bytea[], $8::bytea[])
    AS a (topic, partition, record_offset, source, reason, key, value)
ON CONFLICT (log_id, topic, partition, record_offset) DO NOTHING;
