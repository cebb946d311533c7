-- name: found
-- How far an import of these files by this mapping has come already.
SELECT file_hash, counts, state FROM import_run
WHERE mapping_hash = $1 AND file_hash = ANY($2::text[]);

-- name: shifts
-- By how many days files of this source were moved when they came in.
SELECT DISTINCT (counts->>'shift_days')::int FROM import_run WHERE counts->>'source' = $1;

-- name: begin
-- Opens a file's import; one that exists goes on, or starts over where it is asked to.
INSERT INTO import_run (id, file_hash, mapping_hash, counts) VALUES ($1, $2, $3, $4)
ON CONFLICT (file_hash, mapping_hash) DO UPDATE
SET next_row = CASE WHEN $5 THEN 0 ELSE import_run.next_row END, state = 'running', updated_at = now()
RETURNING next_row;

-- name: advance
-- Everything before `next_row` has been acknowledged.
UPDATE import_run SET next_row = $3, counts = $4, updated_at = now() WHERE file_hash = $1 AND mapping_hash = $2;

-- name: end
-- These files are in, and their accounts have been told so.
UPDATE import_run SET state = 'ended', updated_at = now() WHERE mapping_hash = $1 AND file_hash = ANY($2::text[]);

-- name: aliases
-- Every bound name of an account in another system.
SELECT source, external_id, id FROM alias WHERE kind = 'account';
