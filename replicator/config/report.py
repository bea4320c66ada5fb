"""Turns what pydantic found into problems: file, key path, one plain sentence, a way out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from replicator.config.errors import InvalidValue, Problem, did_you_mean
from replicator.config.file_format import FORMATS, ColumnEntry, OperationColumn, ValueForms
from replicator.config.keypath import Location, key_path
from replicator.config.model import Config, Route, Source, TableOptions, Target
from replicator.config.section import Section

_MESSAGES = {
    "missing": "required key is missing",
    "string_type": "must be a string",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "list_type": "must be an array",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
}
_TARGETS: dict[str, type[Section]] = {
    get_args(target.model_fields["type"].annotation)[0]: target for target in get_args(Target)
}
_PARTS_OF_FILES: dict[str, type[Section]] = {
    "columns": ColumnEntry,
    "operation": OperationColumn,
    "values": ValueForms,
}


def problems_of(
    error: ValidationError, data: Mapping[str, object], path: Path | None
) -> Iterator[Problem]:
    """Yield one problem for each error, in the models' order."""
    for details in error.errors(include_url=False):
        location, message, hint = _explain(details)
        yield Problem(path, key_path(location, data), message, hint)


def _explain(details: ErrorDetails) -> tuple[Location, str, str]:
    section, location = _place(details["loc"])
    value = details["input"]
    word = value if isinstance(value, str) else ""
    match details["type"]:
        case "value_error":
            cause = details["ctx"]["error"]
            hint = cause.hint if isinstance(cause, InvalidValue) else ""
            return location, str(cause), hint
        case "extra_forbidden":
            key = str(location[-1])
            return location, "unknown key", did_you_mean(key, _keys(section))
        case "literal_error":
            expected = details["ctx"]["expected"]
            return location, f"must be {expected}", did_you_mean(word, expected.split("'")[1::2])
        case "union_tag_not_found":
            tags, _ = _tags(location)
            return (*location, "type"), _MESSAGES["missing"], f"one of {', '.join(tags)}"
        case "union_tag_invalid":
            tag = str(details["ctx"]["tag"])
            tags, what = _tags(location)
            hint = did_you_mean(tag, tags) or f"one of {', '.join(tags)}"
            return (*location, "type"), f"unknown {what} {tag!r}", hint
        case kind:
            message = details["msg"].replace("Input should be", "must be")
            return location, _MESSAGES.get(kind, message), ""


def _place(location: Location) -> tuple[type[Section], Location]:
    """Return the model that an error is in, and its location without pydantic's own marks."""
    if location[-1] == "[key]":
        location = location[:-1]
    match location:
        case ("targets", name, "files", "format", str(form), *rest) if form in FORMATS:
            return FORMATS[form], ("targets", name, "format", *rest)
        case ("targets", name, "files", str(key), *rest) if rest and key in _PARTS_OF_FILES:
            return _PARTS_OF_FILES[key], ("targets", name, key, *rest)
        case ("targets", name, str(tag), *rest):
            return _TARGETS[tag], ("targets", name, *rest)
        case ("sources", _, "tables", _, *_):
            return TableOptions, location
        case ("sources", _, *_):
            return Source, location
        case ("routes", _, *_):
            return Route, location
    return Config, location


def _tags(location: Location) -> tuple[Collection[str], str]:
    """What `type` may be in a table, and what it is called."""
    if location[0] == "targets" and location[2:] == ("format",):
        return FORMATS, "format"
    return _TARGETS, "target type"


def _keys(section: type[Section]) -> list[str]:
    return [field.alias or name for name, field in section.model_fields.items()]
