-- Capture triggers for PostgreSQL. `${...}` is filled in by triggers/dialects/postgresql.py.
-- The functions belong to the role that installs them (SECURITY DEFINER), so that application
-- roles need no rights on the outbox. Everything is schema-qualified: the caller's search_path
-- cannot change what runs.

-- name: function
CREATE OR REPLACE FUNCTION ${function}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER${settings}
AS ${body}

-- name: trigger
CREATE OR REPLACE TRIGGER ${trigger} AFTER ${event} ON ${relation}
${referencing}FOR EACH ${level}${condition} EXECUTE FUNCTION ${function}()

-- name: enable
ALTER TABLE ${relation} ENABLE ${always}TRIGGER ${trigger}

-- name: drop_trigger
DROP TRIGGER IF EXISTS ${trigger} ON ${relation}

-- name: drop_function
DROP FUNCTION IF EXISTS ${function}()

-- name: statement
BEGIN
  IF TG_OP OPERATOR(pg_catalog.=) 'INSERT' THEN
    INSERT INTO ${outbox} (table_name, op, after${origin_column})
    SELECT ${table}, 'I', pg_catalog.row_to_json(r)${origin} FROM ${new_rows} r;
  ELSIF TG_OP OPERATOR(pg_catalog.=) 'DELETE' THEN
    INSERT INTO ${outbox} (table_name, op, before${origin_column})
    SELECT ${table}, 'D', pg_catalog.row_to_json(r)${origin} FROM ${old_rows} r;
  ELSIF TG_OP OPERATOR(pg_catalog.=) 'TRUNCATE' THEN
    INSERT INTO ${outbox} (table_name, op${origin_column}) SELECT ${table}, 'T'${origin};
  ELSIF TG_LEVEL OPERATOR(pg_catalog.=) 'ROW' THEN
    INSERT INTO ${outbox} (table_name, op, before${origin_column})
    SELECT ${table}, 'D', pg_catalog.row_to_json(r)${origin} FROM ${old_row} r;
  ELSE
    INSERT INTO ${outbox} (table_name, op, after${origin_column})
    SELECT ${table}, 'U', pg_catalog.row_to_json(r)${origin} FROM ${new_rows} r;
  END IF;
  RETURN NULL;
END

-- name: row
BEGIN
  IF TG_OP OPERATOR(pg_catalog.=) 'INSERT' THEN
    INSERT INTO ${outbox} (table_name, op, after${origin_column})
    SELECT ${table}, 'I', pg_catalog.row_to_json(r)${origin} FROM ${new_row} r;
  ELSIF TG_OP OPERATOR(pg_catalog.=) 'DELETE' THEN
    INSERT INTO ${outbox} (table_name, op, before${origin_column})
    SELECT ${table}, 'D', pg_catalog.row_to_json(r)${origin} FROM ${old_row} r;
  ELSIF TG_OP OPERATOR(pg_catalog.=) 'TRUNCATE' THEN
    INSERT INTO ${outbox} (table_name, op${origin_column}) SELECT ${table}, 'T'${origin};
  ELSE
    IF ${key_changed} THEN
      INSERT INTO ${outbox} (table_name, op, before${origin_column})
      SELECT ${table}, 'D', pg_catalog.row_to_json(r)${origin} FROM ${old_row} r;
    END IF;
    INSERT INTO ${outbox} (table_name, op, before, after${origin_column})
    SELECT ${table}, 'U', ${old_image}, pg_catalog.row_to_json(r)${origin} FROM ${new_row} r;
  END IF;
  RETURN NULL;
END

-- name: reread
-- Other row triggers on this table may write to it. Each event therefore logs the row as it is
-- now, so that whatever order the triggers fire in, the last logged image is the row's last state.
BEGIN
  IF TG_OP OPERATOR(pg_catalog.=) 'TRUNCATE' THEN
    INSERT INTO ${outbox} (table_name, op${origin_column}) SELECT ${table}, 'T'${origin};
    RETURN NULL;
  END IF;
  IF TG_OP OPERATOR(pg_catalog.<>) 'INSERT' THEN
    IF TG_OP OPERATOR(pg_catalog.=) 'DELETE' OR ${key_changed} THEN
      INSERT INTO ${outbox} (table_name, op, after${origin_column})
      SELECT ${table}, 'U', pg_catalog.row_to_json(r)${origin} FROM ${current_old} r;
      IF NOT FOUND THEN
        INSERT INTO ${outbox} (table_name, op, before${origin_column})
        SELECT ${table}, 'D', pg_catalog.row_to_json(r)${origin} FROM ${old_row} r;
      END IF;
    END IF;
  END IF;
  IF TG_OP OPERATOR(pg_catalog.<>) 'DELETE' THEN
    INSERT INTO ${outbox} (table_name, op, before, after${origin_column})
    SELECT ${table}, pg_catalog.left(TG_OP, 1), ${old_image}, pg_catalog.row_to_json(r)${origin}
    FROM ${current_new} r;
  END IF;
  RETURN NULL;
END
