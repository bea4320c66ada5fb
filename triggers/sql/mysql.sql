-- Capture triggers for MySQL and MariaDB. `${...}` is filled in by triggers/dialects/mysql.py.
-- A session that sets @outbox_origin is a replicator's own.

-- name: insert
CREATE ${or_replace}TRIGGER ${trigger} AFTER INSERT ON ${relation} FOR EACH ROW
BEGIN
  IF ${wanted} THEN
    INSERT INTO ${outbox} (table_name, op, `after`${origin_column})
    VALUES (${table}, 'I', ${new_image}${origin});
  END IF;
END

-- name: update
CREATE ${or_replace}TRIGGER ${trigger} AFTER UPDATE ON ${relation} FOR EACH ROW
BEGIN
  IF ${wanted} THEN
    IF ${key_changed} THEN
      INSERT INTO ${outbox} (table_name, op, `before`${origin_column})
      VALUES (${table}, 'D', ${old_image}${origin});
      INSERT INTO ${outbox} (table_name, op, `after`${origin_column})
      VALUES (${table}, 'U', ${new_image}${origin});
    ELSE
      INSERT INTO ${outbox} (table_name, op, `before`, `after`${origin_column})
      VALUES (${table}, 'U', ${before}, ${new_image}${origin});
    END IF;
  END IF;
END

-- name: delete
CREATE ${or_replace}TRIGGER ${trigger} AFTER DELETE ON ${relation} FOR EACH ROW
BEGIN
  IF ${wanted} THEN
    INSERT INTO ${outbox} (table_name, op, `before`${origin_column})
    VALUES (${table}, 'D', ${old_image}${origin});
  END IF;
END
