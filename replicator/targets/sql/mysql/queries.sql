-- SQL of the MySQL and MariaDB target. Placeholders are PyMySQL's.

-- name: session
SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO',
    time_zone = '+00:00', foreign_key_checks = 1, unique_checks = 1, autocommit = 0

-- name: origin
SET @outbox_origin = %s

-- name: packet
SELECT @@max_allowed_packet

-- name: find
SELECT table_schema, table_name FROM information_schema.tables
WHERE table_schema = coalesce(%s, database()) AND table_name = %s

-- name: columns
SELECT column_name, column_type, is_nullable = 'NO' AND column_default IS NULL,
       coalesce(generation_expression, '') <> '', extra,
       collation_name IS NOT NULL AND collation_name NOT LIKE '%%\_bin',
       is_nullable = 'YES', character_set_name
FROM information_schema.columns
WHERE table_schema = %s AND table_name = %s
ORDER BY ordinal_position

-- name: unique_indexes
SELECT index_name, column_name, sub_part
FROM information_schema.statistics
WHERE table_schema = %s AND table_name = %s AND non_unique = 0
ORDER BY index_name <> 'PRIMARY', index_name, seq_in_index

-- name: references
SELECT constraint_schema, table_name, unique_constraint_schema, referenced_table_name,
       delete_rule NOT IN ('NO ACTION', 'RESTRICT') OR update_rule NOT IN ('NO ACTION', 'RESTRICT')
FROM information_schema.referential_constraints
WHERE constraint_schema IN %(schemas)s OR unique_constraint_schema IN %(schemas)s

-- name: progress_exists
SELECT count(*) FROM information_schema.tables
WHERE table_schema = database() AND table_name = 'replicator_progress'

-- name: progress_table
CREATE TABLE IF NOT EXISTS replicator_progress (
    delivery   varchar(255) PRIMARY KEY,
    epoch      varchar(255) NOT NULL,
    batch_no   bigint NOT NULL,
    mark       varchar(255) NOT NULL,
    updated_at datetime(6) NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin

-- name: progress_read
SELECT epoch, batch_no, mark FROM replicator_progress WHERE delivery = %s

-- name: progress_first
INSERT INTO replicator_progress (epoch, batch_no, mark, updated_at, delivery)
VALUES (%s, %s, %s, utc_timestamp(6), %s)

-- name: progress_next
UPDATE replicator_progress SET epoch = %s, batch_no = %s, mark = %s, updated_at = utc_timestamp(6)
WHERE delivery = %s AND epoch = %s AND batch_no = %s AND mark = %s
