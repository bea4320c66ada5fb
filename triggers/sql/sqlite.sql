-- Capture triggers for SQLite. `${...}` is filled in by triggers/dialects/sqlite.py.
-- SQLite fires triggers in no promised order, and applications keep columns such as `updated_at`
-- by triggers that write to the row again. So each event logs the row as it is now: the last
-- logged image is the row's last state, whatever the order.
-- SQLite compiles a table's triggers anew with every statement that is not prepared: the triggers
-- are kept short, and what concerns changed keys only is a trigger of its own.
-- A row in outbox_origin marks a transaction as a replicator's own.

-- name: insert
CREATE TRIGGER ${trigger} AFTER INSERT ON ${relation}${condition}
BEGIN
  INSERT INTO outbox_change (table_name, op, after${origin_column})
  SELECT ${table}, 'I', ${image}${origin} FROM ${relation} AS c WHERE ${is_new};
END

-- name: update
CREATE TRIGGER ${trigger} AFTER UPDATE ON ${relation}${condition}
BEGIN
  INSERT INTO outbox_change (table_name, op, before, after${origin_column})
  SELECT ${table}, 'U', ${before}, ${image}${origin} FROM ${relation} AS c WHERE ${is_new};
END

-- name: key
CREATE TRIGGER ${trigger} AFTER UPDATE OF ${keys} ON ${relation}${condition}
BEGIN
  INSERT INTO outbox_change (table_name, op, before${origin_column})
  SELECT ${table}, 'D', ${old_image}${origin}
  WHERE ${key_changed} AND NOT EXISTS (SELECT 1 FROM ${relation} AS c WHERE ${is_old});
  INSERT INTO outbox_change (table_name, op, after${origin_column})
  SELECT ${table}, 'U', ${image}${origin} FROM ${relation} AS c WHERE ${key_changed} AND ${is_old};
END

-- name: delete
CREATE TRIGGER ${trigger} AFTER DELETE ON ${relation}${condition}
BEGIN
  INSERT INTO outbox_change (table_name, op, before${origin_column})
  SELECT ${table}, 'D', ${old_image}${origin}
  WHERE NOT EXISTS (SELECT 1 FROM ${relation} AS c WHERE ${is_old});
  INSERT INTO outbox_change (table_name, op, after${origin_column})
  SELECT ${table}, 'U', ${image}${origin} FROM ${relation} AS c WHERE ${is_old};
END

-- name: image
(SELECT group_concat(f || ${value}, ',') FROM (${fields}))
