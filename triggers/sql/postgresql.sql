-- Capture triggers for PostgreSQL. `${...}` is filled in by triggers/dialects/postgresql.py.
--
-- The functions belong to the role that installs them (SECURITY DEFINER), so that application
-- roles need no rights on the outbox. Every function, operator and table is schema-qualified: the
-- caller's search_path cannot change what runs.
--
-- A trigger may write to a captured row while the statement that fired it is still under way
-- (an application's AFTER trigger, a foreign key's cascade). Its change is logged first, and the
-- image that the outer statement carries along is out of date by then. So a write from inside a
-- trigger sets outbox.nested until the end of the transaction, and while that is set each event
-- logs the rows as they are now: the last logged image is the row's last state, whatever the order.
--
-- `r.*` and not `r`: a column could be named r, too.
--
-- Settings of the session that change how values are printed are put right for the time of the
-- call, only where they differ: SET as a clause of the function would cost every single-row INSERT
-- a tenth of its speed (docs/decisions/0014).

-- name: function
CREATE OR REPLACE FUNCTION ${function}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
AS ${body}

-- name: trigger
CREATE OR REPLACE TRIGGER ${trigger} AFTER ${event} ON ${relation}
${referencing}FOR EACH ${level}${condition} EXECUTE FUNCTION ${function}()

-- name: enable_always
ALTER TABLE ${relation} ENABLE ALWAYS TRIGGER ${trigger}

-- name: drop_trigger
DROP TRIGGER IF EXISTS ${trigger} ON ${relation}

-- name: drop_function
-- CASCADE: a table that was renamed has kept its triggers.
DROP FUNCTION IF EXISTS ${function}() CASCADE

-- name: set
IF NOT (${printed_right}) THEN
    ${variable} := pg_catalog.current_setting('${setting}');
    PERFORM pg_catalog.set_config('${setting}', '${wanted}', true);
  END IF;

-- name: restore
IF ${variable} IS NOT NULL THEN
    PERFORM pg_catalog.set_config('${setting}', ${variable}, true);
  END IF;

-- name: statement
${declarations}BEGIN
  ${leave_when_marked}${set}IF ${ordinary} THEN
    IF TG_OP OPERATOR(pg_catalog.=) 'INSERT' THEN
      INSERT INTO ${outbox} (table_name, op, after${origin_column})
      SELECT ${table}, 'I', pg_catalog.row_to_json(r.*)${origin} FROM ${new_rows} r;
    ELSIF TG_OP OPERATOR(pg_catalog.=) 'UPDATE' THEN
      IF TG_LEVEL OPERATOR(pg_catalog.=) 'STATEMENT' THEN
        INSERT INTO ${outbox} (table_name, op, after${origin_column})
        SELECT ${table}, 'U', pg_catalog.row_to_json(r.*)${origin} FROM ${new_rows} r;
      ELSE -- the key has changed
        INSERT INTO ${outbox} (table_name, op, before${origin_column})
        SELECT ${table}, 'D', pg_catalog.row_to_json(r.*)${origin} FROM ${old_row} r;
      END IF;
    ELSIF TG_OP OPERATOR(pg_catalog.=) 'DELETE' THEN
      INSERT INTO ${outbox} (table_name, op, before${origin_column})
      SELECT ${table}, 'D', pg_catalog.row_to_json(r.*)${origin} FROM ${old_rows} r;
    ELSE
      INSERT INTO ${outbox} (table_name, op${origin_column}) SELECT ${table}, 'T'${origin};
    END IF;
  ELSE
    PERFORM pg_catalog.set_config('outbox.nested', 'on', true);
    IF TG_OP OPERATOR(pg_catalog.=) 'TRUNCATE' THEN
      INSERT INTO ${outbox} (table_name, op${origin_column}) SELECT ${table}, 'T'${origin};
    ELSIF TG_LEVEL OPERATOR(pg_catalog.=) 'ROW' THEN -- the key has changed
      INSERT INTO ${outbox} (table_name, op, after${origin_column})
      SELECT ${table}, 'U', pg_catalog.row_to_json(r.*)${origin} FROM ${current_old} r;
      IF NOT FOUND THEN
        INSERT INTO ${outbox} (table_name, op, before${origin_column})
        SELECT ${table}, 'D', pg_catalog.row_to_json(r.*)${origin} FROM ${old_row} r;
      END IF;
    ELSIF TG_OP OPERATOR(pg_catalog.=) 'DELETE' THEN
      INSERT INTO ${outbox} (table_name, op, before${origin_column})
      SELECT ${table}, 'D', pg_catalog.row_to_json(r.*)${origin}
      FROM ${gone_old_rows} r;
      INSERT INTO ${outbox} (table_name, op, after${origin_column})
      SELECT ${table}, 'U', pg_catalog.row_to_json(r.*)${origin}
      FROM old_rows w CROSS JOIN LATERAL ${current_row} r;
    ELSE
      INSERT INTO ${outbox} (table_name, op, after${origin_column})
      SELECT ${table}, pg_catalog.left(TG_OP, 1), pg_catalog.row_to_json(r.*)${origin}
      FROM new_rows w CROSS JOIN LATERAL ${current_row} r;
    END IF;
  END IF;
  ${restore}RETURN NULL;
END

-- name: row
${declarations}BEGIN
  ${leave_when_marked}${set}IF ${ordinary} THEN
    IF TG_OP OPERATOR(pg_catalog.=) 'INSERT' THEN
      INSERT INTO ${outbox} (table_name, op, after${origin_column})
      SELECT ${table}, 'I', pg_catalog.row_to_json(r.*)${origin} FROM ${new_row} r;
    ELSIF TG_OP OPERATOR(pg_catalog.=) 'UPDATE' THEN
      IF ${key_changed} THEN
        INSERT INTO ${outbox} (table_name, op, before${origin_column})
        SELECT ${table}, 'D', pg_catalog.row_to_json(r.*)${origin} FROM ${old_row} r;
      END IF;
      INSERT INTO ${outbox} (table_name, op, before, after${origin_column})
      SELECT ${table}, 'U', ${old_image}, pg_catalog.row_to_json(r.*)${origin} FROM ${new_row} r;
    ELSIF TG_OP OPERATOR(pg_catalog.=) 'DELETE' THEN
      INSERT INTO ${outbox} (table_name, op, before${origin_column})
      SELECT ${table}, 'D', pg_catalog.row_to_json(r.*)${origin} FROM ${old_row} r;
    ELSE
      INSERT INTO ${outbox} (table_name, op${origin_column}) SELECT ${table}, 'T'${origin};
    END IF;
  ELSE
    PERFORM pg_catalog.set_config('outbox.nested', 'on', true);
    IF TG_OP OPERATOR(pg_catalog.=) 'TRUNCATE' THEN
      INSERT INTO ${outbox} (table_name, op${origin_column}) SELECT ${table}, 'T'${origin};
    ELSIF TG_OP OPERATOR(pg_catalog.<>) 'INSERT' THEN
      IF TG_OP OPERATOR(pg_catalog.=) 'DELETE' OR ${key_changed} THEN
        INSERT INTO ${outbox} (table_name, op, after${origin_column})
        SELECT ${table}, 'U', pg_catalog.row_to_json(r.*)${origin} FROM ${current_old} r;
        IF NOT FOUND THEN
          INSERT INTO ${outbox} (table_name, op, before${origin_column})
          SELECT ${table}, 'D', pg_catalog.row_to_json(r.*)${origin} FROM ${old_row} r;
        END IF;
      END IF;
    END IF;
    IF TG_OP OPERATOR(pg_catalog.=) 'INSERT' THEN
      INSERT INTO ${outbox} (table_name, op, after${origin_column})
      SELECT ${table}, 'I', pg_catalog.row_to_json(r.*)${origin} FROM ${current_new} r;
    ELSIF TG_OP OPERATOR(pg_catalog.=) 'UPDATE' THEN
      INSERT INTO ${outbox} (table_name, op, before, after${origin_column})
      SELECT ${table}, 'U', ${old_image}, pg_catalog.row_to_json(r.*)${origin} FROM ${current_new} r;
    END IF;
  END IF;
  ${restore}RETURN NULL;
END
