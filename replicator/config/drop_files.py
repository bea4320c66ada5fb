"""How the changes of a files target are divided into files, and what tells of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PlainValidator, ValidationInfo, WithJsonSchema, field_validator

from replicator.config.errors import InvalidValue
from replicator.config.field import PathField, PatternField, Text, TimeZoneField
from replicator.config.section import Section
from replicator.targets.files.formats import FormatOptions
from replicator.targets.files.layout import DropLayout
from replicator.targets.files.manifest import check_line
from replicator.targets.files.names import NamePattern, snapshot_manifest_name, snapshot_name
from replicator.targets.files.window import TimeWindows, parse_window

DEFAULT_FILE_NAME = "{table}_{batch:012d}.csv"
DEFAULT_MANIFEST_LINE = "{name} {bytes} {sha256}"


def _window(value: object) -> int:
    if not isinstance(value, str):
        raise InvalidValue("must be a string")
    try:
        return parse_window(value)
    except ValueError as error:
        raise InvalidValue(str(error)) from None


WindowField = Annotated[
    int, PlainValidator(_window), WithJsonSchema({"type": "string", "minLength": 1})
]


class DropFiles(Section):
    """Names, windows and sizes of files; the manifest; the local copy."""

    window: WindowField | None = None
    """Put files there once for each span of time, when it is over: "30m", "1h", "1d". A change
    belongs to the window in which it was sealed. Without: as soon as there are changes."""

    timezone: TimeZoneField | None = None
    """Whose clock windows and the times in their names go by: "Asia/Shanghai"; by default UTC."""

    roll_rows: int | None = Field(default=None, ge=1)
    """A file that has as many rows is followed by another one, with the next {seq}."""

    roll_bytes: int | None = Field(default=None, ge=1)
    """A file that has as many bytes is followed by another one, with the next {seq}."""

    name: PatternField = Field(default=DEFAULT_FILE_NAME, validate_default=True)
    """File name, with / between folders, and with {table} (as the route's `into` has it), {route},
    {batch} and {first_batch} (the last and the first of the source's batches in the file),
    {window:%Y%m%d%H} and {window_end:...}, {time:%Y%m%d%H%M%S} (when the first change was captured,
    in UTC), {seq:04d} (number of the file), {op} (one file for each operation)."""

    manifest: PatternField | None = None
    """File name of a manifest, which is put there after the files that it lists: "{window}.json",
    with {route}, {batch}, {first_batch}, {window}, {window_end}."""

    manifest_format: Literal["json", "list"] = "json"
    """"json", with sizes, SHA-256 and the manifest before; or "list", a line for each file."""

    manifest_line: Text | None = None
    """A line of such a list, with {name}, {table}, {rows}, {bytes}, {sha256}, {first_change},
    {last_change}, {number}, {window:...}; by default "{name} {bytes} {sha256}"."""

    snapshot_name: PatternField | None = None
    """File name of the files of `replicator snapshot`, with {table}, {route}, {seq:04d}, {batch},
    and {time:%Y%m%dT%H%M%SZ}: when the snapshot began, in UTC. By default
    "snapshot_{route}_{time:%Y%m%dT%H%M%SZ}/{table}_{seq:04d}", with the end that `name` has."""

    snapshot_manifest: PatternField | None = None
    """File name of their manifest, with {route}, {batch}, {time:...}; by default
    "snapshot_{route}_{time:%Y%m%dT%H%M%SZ}.manifest.json", beside them."""

    empty_windows: bool = True
    """Whether a window without changes has a manifest."""

    local_copy: PathField | None = None
    """A folder that keeps an identical copy of each file, and the record of what was sent; by
    default drops/<target>, beside this file."""

    @field_validator("timezone")
    @classmethod
    def _check_timezone(cls, timezone: TimeZoneField, info: ValidationInfo) -> TimeZoneField:
        if "window" in info.data and info.data["window"] is None:
            raise InvalidValue("there is no `window` that it could be for")
        return timezone

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str, info: ValidationInfo) -> str:
        rolled = any(info.data.get(key) for key in ("roll_rows", "roll_bytes"))
        try:
            NamePattern(name).check_files(_windows(info), rolled=rolled)
        except ValueError as error:
            raise InvalidValue(str(error)) from None
        return name

    @field_validator("manifest")
    @classmethod
    def _check_manifest(cls, manifest: str, info: ValidationInfo) -> str:
        try:
            NamePattern(manifest).check_manifest(_windows(info))
        except ValueError as error:
            raise InvalidValue(str(error)) from None
        return manifest

    @field_validator("snapshot_name")
    @classmethod
    def _check_snapshot_name(cls, name: str, info: ValidationInfo) -> str:
        rolled = any(info.data.get(key) for key in ("roll_rows", "roll_bytes"))
        try:
            NamePattern(name).check_snapshots(rolled=rolled)
        except ValueError as error:
            raise InvalidValue(str(error)) from None
        return name

    @field_validator("snapshot_manifest")
    @classmethod
    def _check_snapshot_manifest(cls, manifest: str) -> str:
        try:
            NamePattern(manifest).check_snapshot_manifest()
        except ValueError as error:
            raise InvalidValue(str(error)) from None
        return manifest

    @field_validator("manifest_line")
    @classmethod
    def _check_manifest_line(cls, line: str, info: ValidationInfo) -> str:
        if info.data.get("manifest_format") == "json":
            raise InvalidValue('is for manifests with `manifest_format = "list"`')
        try:
            check_line(line)
        except ValueError as error:
            raise InvalidValue(str(error)) from None
        return line

    def snapshot_layout(self, layout: DropLayout) -> DropLayout:
        """Return what makes snapshots of a target with this layout."""
        name, manifest = snapshot_patterns(
            self.name, self.snapshot_name, self.snapshot_manifest, self.manifest_format
        )
        return replace(layout, name=name, manifest=manifest, windows=None, empty_files=True)

    def windows(self) -> TimeWindows | None:
        """Return the windows of this target."""
        return TimeWindows(self.window, self.timezone or UTC) if self.window else None

    def layout(self, local_copy: Path, encoding: str, contents: FormatOptions) -> DropLayout:
        """Return what the target needs."""
        line = self.manifest_line or DEFAULT_MANIFEST_LINE
        return DropLayout(
            local_copy=local_copy,
            name=NamePattern(self.name),
            encoding=encoding,
            contents=contents,
            windows=self.windows(),
            roll_rows=self.roll_rows,
            roll_bytes=self.roll_bytes,
            manifest=NamePattern(self.manifest) if self.manifest is not None else None,
            manifest_line=line if self.manifest_format == "list" else None,
            empty_windows=self.empty_windows,
        )


def snapshot_patterns(
    name: str, chosen: str | None, manifest: str | None, manifest_format: str
) -> tuple[NamePattern, NamePattern]:
    """Return the patterns of a snapshot's files and of its manifest, chosen or by default."""
    text = chosen or snapshot_name(name)
    suffix = ".json" if manifest_format == "json" else ".txt"
    return NamePattern(text), NamePattern(manifest or snapshot_manifest_name(text, suffix))


def _windows(info: ValidationInfo) -> TimeWindows | None:
    seconds, zone = info.data.get("window"), info.data.get("timezone")
    return TimeWindows(seconds, zone or UTC) if seconds else None
