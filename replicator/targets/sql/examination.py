"""Looking at a target's rows without changing any: what `replicator verify` asks an engine.

What a row should be is put into a temporary table whose columns have the types of the target's, by
the values that a delivery would write. So it is the target itself that says what becomes of them,
and whether the row that is there is the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from replicator.canonical import Digest, Field, Form
from replicator.keyset import beyond
from replicator.targets.sql.dialect import Dialect, Shape, TargetColumn, TargetTable, Values

PLACE = "replicator place"
"""The temporary table's column that numbers its rows."""

Bounds = tuple[Values | None, Values | None]
"""The key behind which a range begins, and the key up to which it goes; None: no end."""

Key = tuple[str, ...]
"""The texts of a key's values (`Form`)."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that is not what it should be: it is missing, or some columns differ."""

    place: int
    """Of the row among those that were given."""
    is_there: bool
    columns: tuple[str, ...] = ()


class Examiner(Dialect, Protocol):
    """One connection that looks, every time anew, at what is committed.

    Raises what the methods of `Dialect` raise; after `Refused` it can be used again.
    """

    def differences(self, shape: Shape, rows: Sequence[Values]) -> list[Difference]:
        """Compare rows by key with those that are there. No key comes twice."""

    def remember(self, shape: Shape) -> None:
        """Note the keys of the rows that were compared last."""

    def unknown(self, shape: Shape, forms: Sequence[Form], most: int) -> list[Key]:
        """The keys, or some, of rows that were never noted with `remember`."""

    def forget(self, shape: Shape) -> None:
        """Forget all that was noted."""

    def others(self, shape: Shape, bounds: Bounds, forms: Sequence[Form], most: int) -> list[Key]:
        """The keys, or some, of rows in a range that were not among those compared last."""

    def digest(
        self, shape: Shape, bounds: Bounds, forms: Mapping[TargetColumn, Form]
    ) -> Digest | None:
        """The digest of the rows in a range; None: it could not be computed."""


@dataclass(frozen=True, slots=True)
class Spelling:
    """What engines spell each in a way of its own."""

    quote: Callable[[str], str]
    text: Callable[[Field], str]
    digest: Callable[[Sequence[Field], str], str]
    same: Callable[[TargetColumn, str, str], str]
    """A condition, never NULL: two values of a column are the same, or both are NULL."""
    read_digest: Callable[..., Digest | None]
    """The digest out of the columns of `digest`'s row."""
    temporary: str
    """What stands before the name of a temporary table."""
    drop: str = "DROP TABLE IF EXISTS"
    """What stands before the name of a temporary table that is to go."""


@dataclass(frozen=True, slots=True)
class Queries:
    """The queries for rows of one shape, and the names of its temporary tables."""

    spelling: Spelling
    shape: Shape
    stage: str
    seen: str

    @classmethod
    def of(cls, spelling: Spelling, shape: Shape, number: int) -> Queries:
        """The queries for the shape with this number."""
        names = (f"{spelling.temporary}replicator_{kind}_{number}" for kind in ("look", "seen"))
        return cls(spelling, shape, *names)

    @property
    def staged(self) -> str:
        """The columns of the stage, as the target's table has them."""
        return f"0 AS {self._place}, {self._columns(self.shape.columns)}"

    @property
    def key(self) -> str:
        """The key's columns."""
        return self._columns(self.shape.key)

    @property
    def table(self) -> TargetTable:
        """The target's table."""
        return self.shape.table

    def differences(self) -> str:
        """For `Difference.of`."""
        same = [
            self.spelling.same(column, f"s.{self._name(column)}", f"t.{self._name(column)}")
            for column in self.shape.columns
        ]
        there = f"t.{self._name(self.shape.key[0])} IS NOT NULL"
        return (
            f"SELECT s.{self._place}, {there}, {', '.join(same)} FROM {self.stage} s"
            f" LEFT JOIN {self.table.quoted} t ON {self._same_key('s', 't')}"
            f" WHERE NOT ({there} AND {' AND '.join(same)})"
        )

    def read(self, row: Sequence[object]) -> Difference:
        """A difference out of a row of `differences`."""
        place, there, *same = row
        columns = zip(self.shape.columns, same, strict=True)
        unequal = tuple(column.name for column, equal in columns if not equal)
        return Difference(int(str(place)), bool(there), unequal if there else ())

    def remember(self) -> str:
        """Add the keys of the stage to those that are noted."""
        return f"INSERT INTO {self.seen} ({self.key}) SELECT {self.key} FROM {self.stage}"

    def forget(self) -> str:
        """Drop what is noted."""
        return f"{self.spelling.drop} {self.seen}"

    def unknown(self, forms: Sequence[Form], most: int) -> str:
        """Keys of rows that are not noted."""
        return f"{self._keys(forms)} WHERE {self._lacks(self.seen)} LIMIT {most}"

    def others(self, bounds: Bounds, forms: Sequence[Form], most: int) -> str:
        """Keys of rows in a range that are not in the stage."""
        conditions = [*self._between(bounds), self._lacks(self.stage)]
        return f"{self._keys(forms)} WHERE {' AND '.join(conditions)} LIMIT {most}"

    def digest(self, bounds: Bounds, forms: Mapping[TargetColumn, Form]) -> str:
        """See `Examiner.digest`."""
        fields = [Field(f"t.{self._name(column)}", form) for column, form in forms.items()]
        conditions = self._between(bounds)
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return self.spelling.digest(fields, f"{self.table.quoted} t{where}")

    @property
    def _place(self) -> str:
        return self.spelling.quote(PLACE)

    def _name(self, column: TargetColumn) -> str:
        return self.spelling.quote(column.name)

    def _columns(self, columns: Sequence[TargetColumn]) -> str:
        return ", ".join(map(self._name, columns))

    def _same_key(self, one: str, other: str) -> str:
        names = map(self._name, self.shape.key)
        return " AND ".join(f"{one}.{name} = {other}.{name}" for name in names)

    def _keys(self, forms: Sequence[Form]) -> str:
        pairs = zip(self.shape.key, forms, strict=True)
        texts = [self.spelling.text(Field(f"t.{self._name(c)}", form)) for c, form in pairs]
        return f"SELECT {', '.join(texts)} FROM {self.table.quoted} t"

    def _lacks(self, other: str) -> str:
        return f"NOT EXISTS (SELECT 1 FROM {other} s WHERE {self._same_key('s', 't')})"

    def _between(self, bounds: Bounds) -> list[str]:
        names = [f"t.{self._name(column)}" for column in self.shape.key]
        return [
            beyond(operator, names, list(map(_literal, key)))
            for operator, key in zip((">", "<="), bounds, strict=True)
            if key is not None
        ]


class Asking(ABC):
    """What examiners do alike: they ask what `Queries` says, a transaction for each query."""

    spelling: ClassVar[Spelling]

    def __init__(self) -> None:
        super().__init__()
        self._queries: dict[Shape, Queries] = {}

    def unknown(self, shape: Shape, forms: Sequence[Form], most: int) -> list[Key]:
        """See `Examiner.unknown`."""
        return self._ask(self._queries_for(shape).unknown(forms, most))

    def forget(self, shape: Shape) -> None:
        """See `Examiner.forget`."""
        self._ask(self._queries_for(shape).forget())

    def others(self, shape: Shape, bounds: Bounds, forms: Sequence[Form], most: int) -> list[Key]:
        """See `Examiner.others`."""
        return self._ask(self._queries_for(shape).others(bounds, forms, most))

    def digest(
        self, shape: Shape, bounds: Bounds, forms: Mapping[TargetColumn, Form]
    ) -> Digest | None:
        """See `Examiner.digest`."""
        [row] = self._ask(self._queries_for(shape).digest(bounds, forms))
        return self.spelling.read_digest(*row)

    @abstractmethod
    def _ask(self, query: str) -> list[Any]:
        """Run a query in a transaction of its own; its rows."""

    def _queries_for(self, shape: Shape) -> Queries:
        if shape not in self._queries:
            number = len(self._queries) + 1
            self._queries[shape] = Queries.of(self.spelling, shape, number)
        return self._queries[shape]


def _literal(value: object) -> str:
    """A value of a key by which ranges are told: a number, or text without quotes in it."""
    return f"'{value}'" if isinstance(value, str) else str(value)
