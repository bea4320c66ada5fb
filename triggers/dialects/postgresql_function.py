"""The body of the function that captures one PostgreSQL table."""

from __future__ import annotations

from collections.abc import Sequence

from triggers.dialects import postgresql_catalog as catalog
from triggers.dialects.base import Subject
from triggers.dialects.postgresql_values import expression, settings
from triggers.model import Column, TableSpec
from triggers.outbox import Outbox
from triggers.templates import render

MARK = "coalesce(pg_catalog.current_setting('outbox.origin', true), '')"
MARKED = f"{MARK} OPERATOR(pg_catalog.<>) ''"
NOT_NESTED = (
    "pg_catalog.pg_trigger_depth() OPERATOR(pg_catalog.=) 1"
    " AND coalesce(pg_catalog.current_setting('outbox.nested', true), '')"
    " OPERATOR(pg_catalog.=) ''"
)
"""Conditions live in the function: a trigger's WHEN is parsed anew by every statement."""

ORIGIN = ", nullif(pg_catalog.current_setting('outbox.origin', true), '')"


def function_body(subject: Subject, spec: TableSpec, outbox: Outbox) -> str:
    """Return the body of the function that a table's triggers call."""
    assert outbox.schema is not None
    table = subject.table
    record = spec.origin == "record"
    old_row = _image_source(subject, "(SELECT OLD.*)")
    keys = [catalog.quote(name) for name in table.key]
    old_key = ", ".join(f"OLD.{key}" for key in keys)
    new_key = ", ".join(f"NEW.{key}" for key in keys)
    # Bytes are compared: keys that are equal here may be two keys in another database.
    key_changed = f"pg_catalog.record_image_ne(ROW({old_key}), ROW({new_key}))"
    full = f"(SELECT pg_catalog.row_to_json(o.*) FROM {old_row} o)"

    def same(image: str) -> str:
        return " AND ".join(
            f"c.{key} {equals} {image}.{key}"
            for key, equals in zip(keys, subject.equals, strict=True)
        )

    def current(image: str) -> str:
        # OFFSET 0 keeps the planner from joining whole tables: it looks up row by row.
        rows = f"(SELECT c.* FROM {subject.relation} c WHERE {same(image)} OFFSET 0)"
        return _image_source(subject, rows)

    gone = f"NOT EXISTS (SELECT FROM {subject.relation} c WHERE {same('w')} OFFSET 0)"
    values = {
        **_settings(table.columns),
        "outbox": f"{catalog.quote(outbox.schema)}.{outbox.change.name}",
        "table": text(table.name),
        "origin_column": ", origin" if record else "",
        "origin": ORIGIN if record else "",
        "ordinary": NOT_NESTED,
        "leave_when_marked": "" if record else f"IF {MARKED} THEN RETURN NULL; END IF;\n  ",
        "new_rows": _image_source(subject, "new_rows"),
        "old_rows": _image_source(subject, "old_rows"),
        "new_row": _image_source(subject, "(SELECT NEW.*)"),
        "old_row": old_row,
        "old_image": "NULL",
        "key_changed": key_changed,
        "current_old": current("OLD"),
        "current_new": current("NEW"),
        "current_row": current("w"),
        "gone_old_rows": _image_source(subject, f"(SELECT w.* FROM old_rows w WHERE {gone})"),
    }
    if spec.before == "full":
        values["old_image"] = f"CASE WHEN NOT {key_changed} THEN {full} END"
    return "\n" + render("postgresql", subject.form.value, **values) + "\n"


def _image_source(subject: Subject, rows: str) -> str:
    """Return a FROM item whose rows are images of `rows`.

    `rows` itself where every column is captured and prints as the wire format wants; otherwise a
    sub-select of the captured columns.
    """
    columns = subject.table.columns
    names = [catalog.quote(column.name) for column in columns]
    values = [f"s.{name}" for name in names]
    printed = [expression(*both) for both in zip(columns, values, strict=True)]
    if not subject.excluded and printed == values:
        return rows
    fields = ", ".join(f"{value} AS {name}" for value, name in zip(printed, names, strict=True))
    return f"(SELECT {fields} FROM {rows} s)"


def _settings(columns: Sequence[Column]) -> dict[str, str]:
    """Return what a function declares, sets and restores so that these columns print right."""
    declarations, changed, restored = [], [], []
    for setting in settings(columns):
        current = f"pg_catalog.current_setting('{setting.name}')"
        values = {
            "setting": setting.name,
            "variable": f"own_{setting.name.lower()}",
            "wanted": setting.wanted,
            "printed_right": setting.printed_right.format(current),
        }
        declarations.append(f"  {values['variable']} pg_catalog.text;\n")
        changed.append(render("postgresql", "set", **values) + "\n  ")
        restored.append(render("postgresql", "restore", **values) + "\n  ")
    return {
        "declarations": "DECLARE\n" + "".join(declarations) if declarations else "",
        "set": "".join(changed),
        "restore": "".join(restored),
    }


def text(value: str) -> str:
    """Write a string literal that means the same whatever standard_conforming_strings is."""
    escaped = value.replace("'", "''")
    if "\\" in value:
        return " E'" + escaped.replace("\\", "\\\\") + "'"
    return f"'{escaped}'"
