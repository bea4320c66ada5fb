"""A column of a test table: its type, what its values mean, and which values it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

Meaning = Literal[
    "integer",
    "decimal",
    "float",
    "boolean",
    "text",
    "padded text",  # trailing blanks mean nothing
    "bytes",
    "date",
    "time",
    "timetz",
    "timestamp",
    "timestamptz",
    "interval",
    "document",  # JSON whose own text is the value
    "json",  # JSON of which the engine keeps only the content
    "uuid",
    "bits",  # MySQL's BIT: a number
    "bit string",  # PostgreSQL's bit and bit varying
    "array",
    "geometry",  # MySQL's: SRID and WKB
    "dynamic",  # SQLite: what the storage class says
]
"""How two values are found equal."""


@dataclass(frozen=True)
class SampleColumn:
    """A column of a test table.

    `extremes` and what `random` draws are SQL expressions in the source's dialect. `type` is what
    follows the column's name in CREATE TABLE. A column without values is computed by the source.
    """

    name: str
    type: str
    meaning: Meaning
    extremes: tuple[str, ...]
    random: SearchStrategy[str] | None = None


@dataclass(frozen=True)
class SampleTable:
    """A test table of one engine; the key `id` comes in front of its columns."""

    name: str
    columns: tuple[SampleColumn, ...]
    options: str = ""
    key_type: str = "INTEGER"
    setup: tuple[str, ...] = ()  # statements before CREATE TABLE

    @property
    def create(self) -> tuple[str, ...]:
        """The statements that make it."""
        columns = ", ".join(f"{column.name} {column.type}" for column in self.columns)
        body = f"id {self.key_type} NOT NULL PRIMARY KEY, {columns}"
        return (*self.setup, f"CREATE TABLE {self.name} ({body}){self.options}")

    def insert(self, number: int, values: Mapping[str, str]) -> str:
        """The statement that inserts a row: SQL expressions by column, the others NULL."""
        names = ", ".join(["id", *values])
        listed = ", ".join([str(number), *values.values()])
        return f"INSERT INTO {self.name} ({names}) VALUES ({listed})"

    def update(self, number: int, values: Mapping[str, str]) -> str:
        """The statement that updates a row: SQL expressions by column."""
        listed = ", ".join(f"{name} = {value}" for name, value in values.items())
        return f"UPDATE {self.name} SET {listed} WHERE id = {number}"

    def column(self, name: str) -> SampleColumn:
        """The named column."""
        return next(column for column in self.columns if column.name == name)


def integers(low: int, high: int) -> SearchStrategy[str]:
    """Integers as SQL has them, the bounds often."""
    return st.one_of(st.integers(low, high), st.sampled_from((low, high))).map(str)


def decimals(digits: int, scale: int, *, signed: bool = True) -> SearchStrategy[str]:
    """Decimals of exactly this scale, with up to `digits` digits."""
    most = 10**digits - 1

    def spell(unscaled: int) -> str:
        text = f"{abs(unscaled):0{scale + 1}d}"
        sign = "-" if unscaled < 0 else ""
        return f"{sign}{text[: len(text) - scale]}.{text[len(text) - scale :]}" if scale else text

    return st.integers(-most if signed else 0, most).map(spell)


def texts(
    spell: Callable[[str], str], *, longest: int = 60, encoding: str = "utf-8", without: str = ""
) -> SearchStrategy[str]:
    """Texts of any characters that an encoding has, spelled by `spell`."""
    characters = st.characters(
        codec=encoding, exclude_categories=["Cs"], exclude_characters=without
    )
    return st.text(characters, max_size=longest).map(spell)


def binary(spell: Callable[[bytes], str], *, longest: int = 60) -> SearchStrategy[str]:
    """Bytes, spelled by `spell`."""
    return st.binary(max_size=longest).map(spell)


def doubles(spell: Callable[[float], str], **options: Any) -> SearchStrategy[str]:
    """Doubles, spelled by `spell`; `options` as for `hypothesis.strategies.floats`."""
    return st.floats(**options).map(spell)


def quoted(strategy: SearchStrategy[Any]) -> SearchStrategy[str]:
    """The text of values in quotes; for values without quotes and backslashes in them."""
    return strategy.map(lambda value: f"'{value}'")
