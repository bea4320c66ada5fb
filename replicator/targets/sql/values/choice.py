"""Which conversion a pair of columns calls for."""

from __future__ import annotations

from collections.abc import Callable

from replicator.targets.sql.conversion import Conversion
from replicator.targets.sql.values.arrays import from_array
from replicator.targets.sql.values.binary import from_bytes, from_geometry, from_uuid
from replicator.targets.sql.values.documents import from_json
from replicator.targets.sql.values.holding import Holding
from replicator.targets.sql.values.loose import from_any
from replicator.targets.sql.values.numbers import (
    from_boolean,
    from_decimal,
    from_float,
    from_integer,
)
from replicator.targets.sql.values.texts import from_enum, from_own_text, from_text
from replicator.targets.sql.values.times import (
    from_date,
    from_interval,
    from_time,
    from_timestamp,
    from_timestamptz,
    from_timetz,
)
from triggers.model import Column, Kind

_BY_KIND: dict[Kind, Callable[[Column, Holding], Conversion]] = {
    Kind.INTEGER: from_integer,
    Kind.DECIMAL: from_decimal,
    Kind.FLOAT: from_float,
    Kind.BOOLEAN: from_boolean,
    Kind.TEXT: from_text,
    Kind.BYTES: from_bytes,
    Kind.DATE: from_date,
    Kind.TIME: from_time,
    Kind.TIMETZ: from_timetz,
    Kind.TIMESTAMP: from_timestamp,
    Kind.TIMESTAMPTZ: from_timestamptz,
    Kind.INTERVAL: from_interval,
    Kind.JSON: from_json,
    Kind.UUID: from_uuid,
    Kind.BIT: from_integer,
    Kind.ENUM: from_enum,
    Kind.ARRAY: from_array,
    Kind.GEOMETRY: from_geometry,
    Kind.DYNAMIC: from_any,
    Kind.OTHER: from_own_text,
}


def choose(column: Column, holding: Holding) -> Conversion:
    """How values of a source column become values that `holding` describes."""
    if column.engine == "sqlite":
        return from_any(column, holding)
    return _BY_KIND[column.kind](column, holding)
