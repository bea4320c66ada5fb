-- SQL of the SQLite target.

-- name: find
SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name = ? COLLATE NOCASE
ORDER BY name = ? DESC LIMIT 1

-- name: columns
SELECT c.name, lower(c.type),
       c."notnull" AND c.dflt_value IS NULL AND NOT (c.pk = 1 AND lower(c.type) = 'integer'),
       c.hidden IN (2, 3), c.pk, c."notnull", l.strict
FROM pragma_table_list(?) l, pragma_table_xinfo(l.name) c
WHERE l.schema = 'main'
ORDER BY c.cid

-- name: unique_indexes
SELECT l.name, l.partial, i.name, coalesce(i.coll, 'BINARY') <> 'BINARY'
FROM pragma_index_list(?) l, pragma_index_xinfo(l.name) i
WHERE l."unique" AND i.key
ORDER BY l.name, i.seqno

-- name: references
SELECT m.name, f."table",
       f.on_delete NOT IN ('NO ACTION', 'RESTRICT') OR f.on_update NOT IN ('NO ACTION', 'RESTRICT')
FROM sqlite_master m, pragma_foreign_key_list(m.name) f
WHERE m.type = 'table'

-- name: origin_exists
SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'outbox_origin'

-- name: origin
INSERT INTO outbox_origin (origin) VALUES (?)

-- name: origin_end
DELETE FROM outbox_origin

-- name: progress_table
CREATE TABLE IF NOT EXISTS replicator_progress (
    delivery   TEXT NOT NULL PRIMARY KEY,
    epoch      TEXT NOT NULL,
    batch_no   INTEGER NOT NULL,
    mark       TEXT NOT NULL,
    updated_at TEXT NOT NULL
)

-- name: progress_read
SELECT epoch, batch_no, mark FROM replicator_progress WHERE delivery = ?

-- name: progress_first
INSERT INTO replicator_progress (epoch, batch_no, mark, updated_at, delivery)
VALUES (?, ?, ?, strftime('%Y-%m-%dT%H:%M:%fZ'), ?)
ON CONFLICT (delivery) DO NOTHING

-- name: progress_next
UPDATE replicator_progress
SET epoch = ?, batch_no = ?, mark = ?, updated_at = strftime('%Y-%m-%dT%H:%M:%fZ')
WHERE delivery = ? AND epoch = ? AND batch_no = ? AND mark = ?
