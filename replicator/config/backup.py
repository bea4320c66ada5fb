"""A backup target: where it is, when its segments are sealed, and how long they stay."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, PlainValidator, ValidationInfo, WithJsonSchema, field_validator

from replicator.config.errors import InvalidValue
from replicator.config.field import PathField
from replicator.config.section import Section
from replicator.targets.backup import Keep, Rotation

_SIZES = {"KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
_SPANS = {"m": "minutes", "h": "hours", "d": "days"}
_STRING = {"type": "string", "minLength": 1}


def _size(value: object) -> int:
    match = re.fullmatch(r"([1-9][0-9]{0,5})(KB|MB|GB)", value) if isinstance(value, str) else None
    if match is None:
        raise InvalidValue("must be a size", 'write for example "64MB" or "1GB"')
    return int(match[1]) * _SIZES[match[2]]


def _span(value: object) -> timedelta:
    match = re.fullmatch(r"([1-9][0-9]{0,4})([mhd])", value) if isinstance(value, str) else None
    if match is None:
        raise InvalidValue("must be a span of time", 'write for example "30m", "1h" or "30d"')
    return timedelta(**{_SPANS[match[2]]: int(match[1])})


def _keep(value: object) -> int | timedelta:
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 1:
            raise InvalidValue("must be at least 1")
        return value
    return _span(value)


SizeField = Annotated[int, PlainValidator(_size), WithJsonSchema(_STRING)]
SpanField = Annotated[timedelta, PlainValidator(_span), WithJsonSchema(_STRING)]
KeepField = Annotated[
    int | timedelta,
    PlainValidator(_keep),
    WithJsonSchema({"oneOf": [_STRING, {"type": "integer", "minimum": 1}]}),
]


class BackupTarget(Section):
    """A folder of compressed change segments that can be restored."""

    type: Literal["backup"]

    path: PathField
    """The folder, relative to this file."""

    segment_every: SpanField = Field(default="1h", validate_default=True)
    """A segment is sealed when this much time is over: at full hours for "1h"."""

    segment_size: SizeField = Field(default="256MB", validate_default=True)
    """A segment is sealed at this size, before compression."""

    compression: Literal["gzip", "zstd"] = "gzip"
    """How sealed segments are compressed."""

    keep: KeepField | None = None
    """How far back it can be restored: "30d", to any moment of that; or 3, to any moment since the
    third-last base copy. What is not needed for that is removed. Without: everything stays."""

    keep_without_base: bool = False
    """Remove segments older than `keep` even if no base copy is newer: then rows that were not
    changed since cannot be restored."""

    @field_validator("keep_without_base")
    @classmethod
    def _check_keep(cls, without: bool, info: ValidationInfo) -> bool:
        if without and not isinstance(info.data.get("keep"), timedelta):
            raise InvalidValue("needs a span of time in `keep`", 'write for example keep = "30d"')
        return without

    def rotation(self) -> Rotation:
        """Return when segments are sealed."""
        return Rotation(self.segment_size, self.segment_every, self.compression)

    def retention(self) -> Keep:
        """Return what stays."""
        if isinstance(self.keep, timedelta):
            return Keep(span=self.keep, without_base=self.keep_without_base)
        return Keep(bases=self.keep)
