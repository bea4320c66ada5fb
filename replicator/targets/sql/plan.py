"""How changes of a source table are written to its target table."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from operator import itemgetter

from msgspec import Raw

from replicator.change import RawChange, Row
from replicator.targets.sql.conversion import Converter, Refused
from replicator.targets.sql.dialect import Shape, Step, TargetColumn, TargetTable, Values
from replicator.targets.sql.images import ColumnMissing, Columns, to_row
from triggers.model import INCOMPLETE, Kind, Table

_IMAGE_BYTES = 512 << 10
"""JSON of images that is decoded at a time: what they become takes up to four times as much."""


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
        self._key = Columns(source.key)
        self._whole = Columns(self._names)
        self._nullable_key = [name for name in source.key if self._columns[name].nullable]
        self._key_is_array = any(source.column(name).kind is Kind.ARRAY for name in source.key)

    @property
    def columns(self) -> Mapping[str, TargetColumn]:
        """The target's columns that are written, by the source column."""
        return self._columns

    @property
    def whole(self) -> Shape:
        """The shape of images that hold every column."""
        return self._shape(self._names)

    @property
    def covers_target(self) -> bool:
        """Whether every column of the target that is not generated is written."""
        written = {column.name for column in self._columns.values()}
        return all(c.generated or c.name in written for c in self.target.columns.values())

    @property
    def key_folds(self) -> bool:
        """Whether keys that differ may be equal in the target."""
        return any(column.folds for column in self._key_shape.columns)

    def is_whole(self, image: Raw) -> bool:
        """Whether an image holds every column, so that it could make the row anew."""
        try:
            self._whole.of_each([image])
        except ColumnMissing:
            return False
        return True

    def keys_of(self, images: Sequence[Raw]) -> Sequence[Hashable]:
        """What tells rows apart, for each image: all that it holds where it lacks its key."""
        try:
            if len(self.source.key) == 1 and not self._key_is_array:
                return self._key.first_of_each(images)
            keys = self._key.of_each(images)
        except ColumnMissing:
            if len(images) == 1:
                return [bytes(images[0])]
            return [key for image in images for key in self.keys_of([image])]
        return list(map(repr, keys)) if self._key_is_array else keys

    def step(self, change: RawChange) -> Step:
        """A change of a row by itself."""
        if change.op == "D":
            shape, rows = self.keys([change.before])
            return Step("delete", shape, rows[0])
        ((shape, rows),) = self.images({None: change.after})
        return Step("upsert", shape, rows[0])

    def keys(self, images: Sequence[Raw]) -> tuple[Shape, Sequence[Values]]:
        """The key's values out of images. Raises `Refused` for one that lacks them."""
        try:
            keys = self._key.of_each(images)
        except ColumnMissing:
            reasons = (to_row(image).get(INCOMPLETE) for image in images)
            raise Refused(next(filter(None, reasons), "the key is missing")) from None
        return self._key_shape, self._convert(self.source.key, keys)

    def images(
        self,
        images: Mapping[Hashable, Raw],
        earlier: Callable[[], Mapping[Hashable, Sequence[Raw]]] = dict,
    ) -> Iterator[tuple[Shape, Sequence[Values]]]:
        """Images by key as values, some at a time, alike in the columns that they hold.

        Columns that an image lacks are taken from the row's `earlier` images, where they hold them.
        """
        for part in _portions(images):
            try:
                rows = self._whole.of_each(list(part.values()))
            except ColumnMissing:  # images from before a column was added
                yield from self._parts(part, earlier())
            else:
                self._refuse_null(self._names, rows)
                yield self._shape(self._names), self._convert(self._names, rows)

    def _parts(
        self, images: Mapping[Hashable, Raw], earlier: Mapping[Hashable, Sequence[Raw]]
    ) -> Iterator[tuple[Shape, Sequence[Values]]]:
        groups: dict[tuple[str, ...], list[Values]] = {}
        for key, image in images.items():
            row: Row = {}
            for known in (*earlier.get(key, ()), image):
                row |= to_row(known)
            if INCOMPLETE in row:
                raise Refused(row[INCOMPLETE])
            names = tuple(name for name in self._names if name in row)
            groups.setdefault(names, []).append([row[name] for name in names])
        for names, rows in groups.items():
            self._refuse_null(names, rows)
            yield self._shape(names), self._convert(names, rows)

    def _refuse_null(self, names: tuple[str, ...], rows: Sequence[Values]) -> None:
        """Refuse what has NULL in its key, where the target would not: it would come back twice."""
        for name in self._nullable_key:
            if name in names and None in map(itemgetter(names.index(name)), rows):
                raise Refused(f"column {name} of the key is NULL")

    def _convert(self, names: tuple[str, ...], rows: Sequence[Values]) -> Sequence[Values]:
        conversions = [
            (place, self._converters[name])
            for place, name in enumerate(names)
            if name in self._converters
        ]
        return [_converted(row, conversions) for row in rows] if conversions else rows

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


def _converted(row: Values, conversions: Sequence[tuple[int, Converter]]) -> Values:
    converted = list(row)
    for place, convert in conversions:
        value = converted[place]
        if value is not None:
            converted[place] = convert(value)
    return converted


def _portions(images: Mapping[Hashable, Raw]) -> Iterator[Mapping[Hashable, Raw]]:
    """Divide images into parts of a bounded size; most often there is only one."""
    if sum(map(len, images.values())) <= _IMAGE_BYTES:
        yield images
        return
    part: dict[Hashable, Raw] = {}
    size = 0
    for key, image in images.items():
        if part and size + len(image) > _IMAGE_BYTES:
            yield part
            part, size = {}, 0
        part[key] = image
        size += len(image)
    yield part
