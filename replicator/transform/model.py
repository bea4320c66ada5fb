"""What a transform is: the columns and the rows of a source table that a route passes on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from replicator.change import Row
from triggers.model import Column, Table


@dataclass(frozen=True, slots=True)
class Transform:
    """Target columns as SQL over a source row (None: the row as it is), and which rows."""

    columns: Mapping[str, str] | None = None
    where: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a transform cannot run. `key` is its part of the configuration: `where`, or
    `columns` and maybe one of them.
    """

    table: str
    key: tuple[str, ...]
    message: str
    remedy: str = ""

    def place(self, table: str) -> tuple[str, ...]:
        """The key below the route, whose configuration calls the table so."""
        return (self.key[0], table, *self.key[1:])


@dataclass(frozen=True, slots=True)
class Result:
    """A transform of one table that its source has accepted.

    `table` is the source table, `columns` what comes out. `key` tells result rows apart; it is
    empty where nothing does. `key_is_own`: the key depends on nothing but the source's key, so that
    an update never changes it. `keeps_key`: it is the source's key under other names at most.
    """

    table: Table
    transform: Transform
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    key_is_own: bool = True
    keeps_key: bool = True

    def as_table(self) -> Table:
        """The source table as targets are to see it: under its name, with the result's columns."""
        if self.transform.columns is None:
            return self.table
        return Table(self.table.name, self.columns, self.key)

    @property
    def key_columns(self) -> tuple[Column, ...]:
        """What identifies a row: the key's columns, or all where there is no key."""
        if not self.key:
            return self.columns
        return tuple(column for column in self.columns if column.name in self.key)

    def source_key(self, row: Row) -> Row:
        """The source's key out of a result row; where the result keeps it."""
        names = passed_on_key(self.table, self.transform)
        return {own: row[name] for own, name in zip(self.table.key, names, strict=True)}

    def result_key(self, key: Row) -> Row:
        """The other way round: the result's key out of the source's, where the result keeps it."""
        names = passed_on_key(self.table, self.transform)
        return {name: key[own] for own, name in zip(self.table.key, names, strict=True)}

    def expression(self, name: str, quoted: str) -> str:
        """The SQL of a result column; `quoted` is its name in SQL."""
        columns = self.transform.columns
        return quoted if columns is None else columns[name]


_PLAIN = re.compile(r"""(?:[^\s.]+\.)?(?P<name>"(?:[^"]|"")+"|`(?:[^`]|``)+`|[^\W\d][\w$]*)""")


def plain_column(expression: str, table: Table) -> str | None:
    """The column that an expression merely names, quoted or not."""
    found = _PLAIN.fullmatch(expression.strip())
    if found is None:
        return None
    name = found["name"]
    if name[0] in '"`':
        name = name[1:-1].replace(name[0] * 2, name[0])
    names = [column.name for column in table.columns]
    if name in names:
        return name
    alike = [other for other in names if other.casefold() == name.casefold()]
    return alike[0] if len(alike) == 1 else None


def passed_on_key(table: Table, transform: Transform) -> tuple[str, ...]:
    """The result columns that hold the source's key as it is; empty when one of them lacks."""
    if transform.columns is None:
        return table.key
    renamed: dict[str, str] = {}
    for name, expression in transform.columns.items():
        column = plain_column(expression, table)
        if column is not None:
            renamed.setdefault(column, name)
    if not all(name in renamed for name in table.key):
        return ()
    return tuple(renamed[name] for name in table.key)


def choose_key(
    table: Table, transform: Transform, target_keys: Sequence[Sequence[str]]
) -> tuple[str, ...]:
    """The result's key: the target's first key that the result holds, else the source's."""
    passed_on = passed_on_key(table, transform)
    if transform.columns is None:
        return passed_on
    names = {name.casefold(): name for name in transform.columns}
    for key in target_keys:
        if all(name.casefold() in names for name in key):
            chosen = tuple(names[name.casefold()] for name in key)
            return passed_on if set(passed_on) == set(chosen) else chosen
    return passed_on
