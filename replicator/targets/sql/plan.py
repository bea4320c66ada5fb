"""How changes of a source table are written to its target table."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from replicator.change import Change, Row
from replicator.targets.sql.dialect import Converter, Shape, Step, TargetColumn, TargetTable, Values
from triggers.model import Kind, Table

_UNBOUNDED = {
    Kind.TEXT,
    Kind.BYTES,
    Kind.JSON,
    Kind.ARRAY,
    Kind.GEOMETRY,
    Kind.DYNAMIC,
    Kind.OTHER,
    Kind.DECIMAL,
}
_SHORT = 1000  # characters: no column of this length makes a row large
_ROW_BYTES = 250


class TablePlan:
    """One source table, its target table, and everything between them.

    `deletes_last`: rows are deleted after those of all tables are written, so that what no longer
    refers to them is not deleted along. `cascades`: a foreign key deletes or changes rows that
    refer to this table's. `exchangeable`: a row can be deleted and inserted again without loss.
    `trusts_inserts`: rows that the source inserted were always new in the target up to now.
    """

    def __init__(
        self,
        source: Table,
        target: TargetTable,
        columns: Mapping[str, TargetColumn],
        converters: Mapping[str, Converter],
    ) -> None:
        self.source = source
        self.target = target
        self.cascades = False
        self.deletes_last = False
        self.exchangeable = False
        self.trusts_inserts = True
        self._columns = dict(columns)
        self._converters = dict(converters)
        self._names = tuple(self._columns)
        self._shapes: dict[tuple[str, ...], Shape] = {}
        self._key_shape = self._make_shape(source.key, insertable=False)
        self._required = {column.name for column in target.columns.values() if column.required}
        self._wide = [
            column.name
            for column in source.columns
            if column.kind in _UNBOUNDED and not 0 < (column.length or 0) <= _SHORT
        ]
        self.key_of = _key_reader(source)

    @property
    def covers_target(self) -> bool:
        """Whether every column of the target that is not generated is written."""
        written = {column.name for column in self._columns.values()}
        return all(c.generated or c.name in written for c in self.target.columns.values())

    @property
    def key_folds(self) -> bool:
        """Whether keys that differ may be equal in the target."""
        return any(column.folds for column in self._key_shape.columns)

    def weight(self, row: Row) -> int:
        """About how many bytes a row takes."""
        size = _ROW_BYTES
        for name in self._wide:
            value = row.get(name)
            if value.__class__ is str or value.__class__ is list:
                size += len(value)
        return size

    def is_whole(self, change: Change) -> bool:
        """Whether a change holds every column, so that it could make the row anew."""
        return change.after is not None and all(name in change.after for name in self._names)

    def step(self, change: Change) -> Step:
        """A change of a row by itself."""
        if change.after is None:
            ((shape, rows),) = [self.keys([change.row])]
            return Step("delete", shape, rows[0])
        ((shape, rows),) = self.images([change.after])
        return Step("upsert", shape, rows[0])

    def keys(self, rows: Iterable[Row]) -> tuple[Shape, Sequence[Values]]:
        """The key's values of rows."""
        return self._key_shape, self._values(self.source.key, rows)

    def images(self, rows: Sequence[Row]) -> list[tuple[Shape, Sequence[Values]]]:
        """Rows as values, grouped by the columns that they hold, in order within a group."""
        try:
            return [(self._shape(self._names), self._values(self._names, rows))]
        except KeyError:
            pass  # images from before a column was added
        groups: dict[tuple[str, ...], list[Row]] = {}
        for row in rows:
            names = tuple(name for name in self._names if name in row)
            groups.setdefault(names, []).append(row)
        return [(self._shape(names), self._values(names, group)) for names, group in groups.items()]

    def _values(self, names: tuple[str, ...], rows: Iterable[Row]) -> Sequence[Values]:
        values: list[Any] = (
            [(row[names[0]],) for row in rows]
            if len(names) == 1
            else list(map(itemgetter(*names), rows))
        )
        conversions = [
            (place, self._converters[name])
            for place, name in enumerate(names)
            if name in self._converters
        ]
        if not conversions:
            return values
        for number, row in enumerate(values):
            converted = list(row)
            for place, convert in conversions:
                value = converted[place]
                if value is not None:
                    converted[place] = convert(value)
            values[number] = converted
        return values

    def _shape(self, names: tuple[str, ...]) -> Shape:
        shape = self._shapes.get(names)
        if shape is None:
            columns = {self._columns[name].name for name in names}
            shape = self._make_shape(names, insertable=self._required <= columns)
            self._shapes[names] = shape
        return shape

    def _make_shape(self, names: tuple[str, ...], *, insertable: bool) -> Shape:
        return Shape(
            table=self.target,
            columns=tuple(self._columns[name] for name in names),
            key=tuple(self._columns[name] for name in self.source.key),
            insertable=insertable,
        )


def _key_reader(table: Table) -> Callable[[Row], Hashable]:
    """What tells rows apart: the key's value, or values."""
    read: Callable[[Row], Any] = itemgetter(*table.key)
    if any(table.column(name).kind is Kind.ARRAY for name in table.key):
        return lambda row: repr(read(row))
    return read
