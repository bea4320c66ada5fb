"""A transform as SQL: the parts that every engine spells alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from replicator.errors import describe
from replicator.transform.model import Problem, Result, Transform
from triggers.model import Column, Table
from triggers.statements import execute


class SourceSql(ABC):
    """How one engine runs transforms."""

    session: Sequence[str] = ()
    """Statements for a session in which `select` prints values as the wire format wants them."""

    @property
    def needs(self) -> str:
        """What is most often missing where the server refuses only the description."""
        return ""

    @abstractmethod
    def quote(self, name: str) -> str:
        """Quote an identifier."""

    @abstractmethod
    def relation(self, table: Table) -> str:
        """The quoted, qualified name of a source table."""

    @abstractmethod
    def alias(self, table: Table) -> str:
        """The name, quoted, under which expressions may know the table."""

    @abstractmethod
    def image(self, row: str, columns: Sequence[Column], key: Sequence[str]) -> str:
        """An expression for the JSON image of some columns of `row`, those of `key` included."""

    @abstractmethod
    def types(self, connection: Connection, query: str) -> tuple[Column, ...]:
        """The columns of a query's result, read from the server."""

    def rows(self, table: Table, names: Sequence[str] | None = None) -> str:
        """A FROM item: the table's rows with the captured columns, or some of them, and no others.

        The same columns are in the images of changes.
        """
        chosen = [column.name for column in table.columns] if names is None else names
        return f"(SELECT {', '.join(map(self.quote, chosen))} FROM {self.relation(table)})"

    def select(
        self,
        result: Result,
        *,
        rows: str | None = None,
        carry: Sequence[str] = (),
        columns: Sequence[Column] | None = None,
        filtered: bool = True,
        condition: str = "",
        tail: str = "",
    ) -> str:
        """A query for result rows: the columns of `rows` named in `carry`, then the row's image.

        `columns` are those of the image, all by default. For the others see `results`.
        """
        chosen = result.columns if columns is None else columns
        computed = self.results(
            result,
            rows=rows,
            carry=carry,
            columns=chosen,
            filtered=filtered,
            condition=condition,
            tail=tail,
        )
        places = [f"r.{self._place(place)}" for place in range(len(carry))]
        printed = [*places, self.image("r", chosen, result.key)]
        return f"SELECT {', '.join(printed)}\nFROM ({computed}) AS r"

    def results(
        self,
        result: Result,
        *,
        rows: str | None = None,
        carry: Sequence[str] = (),
        columns: Sequence[Column] | None = None,
        filtered: bool = True,
        condition: str = "",
        tail: str = "",
    ) -> str:
        """A query for result rows as such: what `carry` names, then the `columns`.

        Of the source's own rows, or of another FROM item that has the captured columns. Those that
        `where` lets pass, unless not `filtered`; `condition` and `tail` (ORDER BY, LIMIT) narrow
        them further, with names qualified by `alias`.
        """
        chosen = result.columns if columns is None else columns
        own = [
            # A line of its own: an expression may end in a comment.
            f"(\n{result.expression(column.name, self.quote(column.name))}\n)"
            f" AS {self.quote(column.name)}"
            for column in chosen
        ]
        alias = self.alias(result.table)
        carried = [
            f"{alias}.{self.quote(name)} AS {self._place(place)}"
            for place, name in enumerate(carry)
        ]
        where = result.transform.where if filtered else None
        conditions = [f"(\n{text}\n)" for text in (where, condition) if text]
        return (
            f"SELECT {', '.join([*carried, *own])}"
            f"\nFROM {rows or self.rows(result.table)} AS {alias}"
            + (f"\nWHERE {' AND '.join(conditions)}" if conditions else "")
            + (f"\n{tail}" if tail else "")
        )

    def find_problems(
        self, connection: Connection, table: Table, transform: Transform
    ) -> Iterator[Problem]:
        """Yield what the source's server says against each expression."""
        for name, expression in (transform.columns or {}).items():
            error = self._error(connection, self._probe(table, f"(\n{expression}\n)"))
            if error:
                yield Problem(table.name, ("columns", name), error)
        if transform.where is not None:
            error = self._error(connection, self._probe(table, "1", transform.where))
            if error:
                yield Problem(table.name, ("where",), error)

    def depends_on_key(self, connection: Connection, table: Table, expression: str) -> bool:
        """Tell whether an expression needs no column of the row but the key's."""
        rows = self.rows(table, table.key)
        return self._error(connection, self._probe(table, f"(\n{expression}\n)", rows=rows)) == ""

    def describe(
        self, connection: Connection, table: Table, transform: Transform
    ) -> tuple[Column, ...]:
        """The columns of a transform that has no problems; does what its evaluation will need."""
        if transform.columns is None:
            self.types(connection, f"SELECT * FROM {self.rows(table)} AS {self.alias(table)}")
            return table.columns
        listed = ", ".join(
            f"(\n{text}\n) AS {self.quote(name)}" for name, text in transform.columns.items()
        )
        return self.types(
            connection, f"SELECT {listed} FROM {self.rows(table)} AS {self.alias(table)}"
        )

    def _place(self, place: int) -> str:
        """The name, quoted, of a column that is carried along."""
        return self.quote(f"outbox carried {place}")

    def _probe(self, table: Table, what: str, where: str = "", rows: str = "") -> str:
        query = f"SELECT {what} FROM {rows or self.rows(table)} AS {self.alias(table)}"
        return query + (f" WHERE (\n{where}\n)" if where else "") + " LIMIT 0"

    def _error(self, connection: Connection, query: str) -> str:
        try:
            with connection.begin_nested():
                execute(connection, [query])
        except DBAPIError as error:
            return describe(error)
        return ""
