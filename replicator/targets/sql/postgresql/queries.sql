-- SQL of the PostgreSQL target. Placeholders are psycopg's.

-- The planner knows nothing of fresh temporary tables and would read a large target from end to
-- end for a join; without these joins it takes the key's index, the only access that is needed.
-- name: session
SELECT set_config('client_min_messages', 'warning', false),
       set_config('timezone', 'UTC', false),
       set_config('datestyle', 'ISO, YMD', false),
       set_config('intervalstyle', 'postgres', false),
       set_config('standard_conforming_strings', 'on', false),
       set_config('bytea_output', 'hex', false),
       set_config('lc_monetary', 'C', false),
       set_config('enable_hashjoin', 'off', false),
       set_config('enable_mergejoin', 'off', false),
       set_config('lock_timeout', '60s', false),
       set_config('default_transaction_isolation', 'read committed', false)

-- name: origin
SELECT set_config('outbox.origin', %s, true)

-- name: find
SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = to_regclass(%s) AND c.relkind IN ('r', 'p')

-- name: columns
SELECT a.attname,
       lower(format_type(coalesce(nullif(t.typbasetype, 0), t.oid),
                         CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END)),
       a.attnotnull AND NOT a.atthasdef AND a.attidentity = '',
       a.attgenerated <> '',
       a.attidentity = 'a',
       t.typname = 'citext' OR NOT coalesce(l.collisdeterministic, true),
       NOT a.attnotnull AND NOT t.typnotnull,
       ARRAY(SELECT e.enumlabel::text FROM pg_enum e
             WHERE e.enumtypid = coalesce(nullif(t.typbasetype, 0), t.oid))
FROM pg_attribute a
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_collation l ON l.oid = a.attcollation
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum

-- name: unique_indexes
SELECT i.indisprimary,
       i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL,
       ARRAY(SELECT a.attname FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place)
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
             WHERE k.place <= i.indnkeyatts ORDER BY k.place)
FROM pg_index i
WHERE i.indrelid = %s AND i.indisunique
ORDER BY i.indisprimary DESC, i.indexrelid

-- name: references
SELECT quote_ident(cn.nspname) || '.' || quote_ident(c.relname),
       quote_ident(pn.nspname) || '.' || quote_ident(p.relname),
       f.confdeltype NOT IN ('a', 'r') OR f.confupdtype NOT IN ('a', 'r')
FROM pg_constraint f
JOIN pg_class c ON c.oid = f.conrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace
JOIN pg_class p ON p.oid = f.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
WHERE f.contype = 'f'
  AND (f.conrelid = ANY(%(tables)s::regclass[]) OR f.confrelid = ANY(%(tables)s::regclass[]))

-- name: privileges
SELECT current_user,
       current_database(),
       has_database_privilege(current_database(), 'TEMPORARY'),
       ARRAY(SELECT p FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) p
             WHERE NOT has_table_privilege(to_regclass(%s), p))

-- name: progress_exists
SELECT to_regclass('replicator_progress') IS NOT NULL

-- name: progress_table
CREATE TABLE IF NOT EXISTS replicator_progress (
    delivery   varchar(255) PRIMARY KEY,
    epoch      varchar(255) NOT NULL,
    batch_no   bigint NOT NULL,
    mark       varchar(255) NOT NULL,
    updated_at timestamptz NOT NULL
)

-- name: progress_read
SELECT epoch, batch_no, mark FROM replicator_progress WHERE delivery = %s

-- name: progress_first
INSERT INTO replicator_progress (epoch, batch_no, mark, updated_at, delivery)
VALUES (%s, %s, %s, now(), %s)
ON CONFLICT (delivery) DO NOTHING

-- name: progress_next
UPDATE replicator_progress SET epoch = %s, batch_no = %s, mark = %s, updated_at = now()
WHERE delivery = %s AND epoch = %s AND batch_no = %s AND mark = %s
