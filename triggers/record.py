"""What is recorded of an installation, and how far a table has drifted from it since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from triggers.dialects.base import LiveTrigger, Subject, TriggerSet
from triggers.model import Column, ForeignKey, Kind, Table, TableSpec
from triggers.outbox import Outbox

GENERATOR_VERSION = 2
"""Raised whenever generated triggers change, so that `status` reports older ones as drifted."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row of outbox_capture: a table as it was when its triggers were put in place."""

    table: Table
    triggers: tuple[str, ...]
    options: dict[str, Any]
    fingerprint: str


def read_records(connection: Connection, outbox: Outbox) -> dict[str, Record]:
    """Return the records of all captured tables, by canonical name."""
    return {
        row.table_name: Record(
            _read_table(row.table_name, row.description),
            tuple(json.loads(row.triggers)),
            json.loads(row.options),
            row.hash,
        )
        for row in connection.execute(sa.select(outbox.capture))
    }


def record_statements(
    outbox: Outbox, subject: Subject, spec: TableSpec, planned: TriggerSet
) -> list[sa.Delete | sa.Insert]:
    """Return the statements that record an installation in place of an earlier one."""
    capture = outbox.capture
    return [
        sa.delete(capture).where(capture.c.table_name == subject.table.name),
        sa.insert(capture).values(
            table_name=subject.table.name,
            triggers=json.dumps(list(planned.bodies)),
            description=json.dumps(asdict(subject.table), ensure_ascii=False),
            options=json.dumps(_options(subject, spec)),
            hash=_fingerprint(subject, spec, planned),
            installed_at=datetime.now(UTC),
        ),
    ]


def drift(
    record: Record | None,
    live: Mapping[str, LiveTrigger],
    subject: Subject,
    spec: TableSpec,
    planned: TriggerSet,
) -> list[str]:
    """Say in what a table's capture differs from what `install` would make of it; [] if nothing."""
    reasons: list[str] = []
    if record is None:
        reasons.append("there is no record of its installation")
    elif record.fingerprint != _fingerprint(subject, spec, planned):
        reasons += _differences(
            record.table, subject.table, record.options.get("exclude", ()), spec.exclude
        )
        reasons += _changed_options(record.options, _options(subject, spec))
        if not reasons:
            reasons.append("the triggers were made by another version of this program")
    expected = planned.bodies if record is None else record.triggers
    for trigger in expected:
        if trigger not in live:
            reasons.append(f"the trigger {trigger} was dropped")
        elif not live[trigger].enabled:
            reasons.append(f"the trigger {trigger} is disabled")
    if not reasons:
        reasons += [
            f"the trigger {trigger} was altered"
            for trigger, body in planned.bodies.items()
            if live[trigger].body != body
        ]
    reasons += [f"the trigger {trigger} is left over" for trigger in sorted({*live} - {*expected})]
    return reasons


def gone_columns(before: Table, now: Table, excluded: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the columns that are not there any more, and those that have another type."""
    new = {column.name: column.native for column in now.columns}
    kept = {*new, *excluded}
    dropped = [column.name for column in before.columns if column.name not in kept]
    retyped = [
        column.name
        for column in before.columns
        if column.name in new and new[column.name] != column.native
    ]
    return dropped, retyped


def _options(subject: Subject, spec: TableSpec) -> dict[str, Any]:
    return {
        "before": spec.before,
        "exclude": sorted(spec.exclude),
        "origin": spec.origin,
        "always": spec.always,
        "form": subject.form.value,
        "keys_change_unnamed": subject.keys_change_unnamed,
    }


def _changed_options(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    found = [
        f"the option `{name}` was {old.get(name)!r}, is {new[name]!r}"
        for name in ("before", "exclude", "origin", "always")
        if old.get(name) != new[name]
    ]
    if old.get("form") != new["form"] and not found:
        found.append(
            f"the table must be captured by {new['form']} now, not by {old.get('form')}:"
            " another trigger or a parent table was added or removed"
        )
    if old.get("keys_change_unnamed") != new["keys_change_unnamed"]:
        found.append("a BEFORE trigger, which may change a key, was added or removed")
    return found


def _fingerprint(subject: Subject, spec: TableSpec, planned: TriggerSet) -> str:
    parts = [
        GENERATOR_VERSION,
        asdict(subject.table),
        _options(subject, spec),
        list(planned.replace),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _differences(
    before: Table, now: Table, excluded_before: Sequence[str], excluded: Sequence[str]
) -> list[str]:
    """Tell the differences; what is excluded, or was, is told as a changed option."""
    old = {column.name: column for column in before.columns}
    new = {column.name: column for column in now.columns}
    found = [f"column {n!r} was added" for n in new if n not in {*old, *excluded_before}]
    found += [f"column {n!r} was dropped" for n in old if n not in {*new, *excluded}]
    found += [
        f"column {name!r} was {old[name].native}, is {new[name].native}"
        for name in new
        if name in old and old[name].native != new[name].native
    ]
    if before.key != now.key:
        found.append(f"the key was ({', '.join(before.key)}), is ({', '.join(now.key)})")
    if before.foreign_keys != now.foreign_keys:
        found.append("a foreign key was added, dropped or changed")
    if not found and before != now and old.keys() == new.keys():
        found.append("the definition of a column changed")
    return found


def _read_table(name: str, text: str) -> Table:
    data = json.loads(text)
    return Table(
        name=name,
        columns=tuple(_read_column(column) for column in data["columns"]),
        key=tuple(data["key"]),
        foreign_keys=tuple(
            ForeignKey(
                columns=tuple(f["columns"]),
                table=f["table"],
                referred=tuple(f["referred"]),
                on_delete=f["on_delete"],
                on_update=f["on_update"],
            )
            for f in data["foreign_keys"]
        ),
    )


def _read_column(data: dict[str, Any]) -> Column:
    element = data.get("element")
    kinds = {"kind": Kind(data["kind"]), "element": None if element is None else Kind(element)}
    return Column(**{**data, **kinds})
