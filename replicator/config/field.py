"""Types of single values in the configuration: how text becomes a value, or an explained error."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from datetime import tzinfo
from encodings.aliases import aliases
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    PlainValidator,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
)
from sqlalchemy.engine import URL

from replicator.config.address import DropUrl, parse_database_url, parse_drop_url
from replicator.config.errors import InvalidValue, did_you_mean
from replicator.config.handler import parse_handler
from replicator.config.schedule import Schedule
from replicator.config.schedule import parse as parse_schedule
from replicator.config.secret import Secret, parse_secret
from replicator.config.zone import parse_time_zone
from replicator.handlers import Program
from replicator.targets.files.names import NamePattern

_NOT_FOR_FILES = {"idna", "punycode", "unicode_escape", "raw_unicode_escape"}
_STRING = {"type": "string", "minLength": 1}


def _folder(info: ValidationInfo) -> Path:
    """Return the folder of the file being read (the validation context is its path, or None)."""
    path: Path | None = info.context
    return Path() if path is None else path.absolute().parent


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise InvalidValue("must be a string")
    if not value:
        raise InvalidValue("must not be empty")
    return value


def _database_url(value: object, info: ValidationInfo) -> URL:
    return parse_database_url(_text(value), _folder(info))


def _drop_url(value: object, info: ValidationInfo) -> DropUrl:
    return parse_drop_url(_text(value), _folder(info))


def _path(value: object, info: ValidationInfo) -> Path:
    return _folder(info) / _text(value)


def _secret(value: object, info: ValidationInfo) -> Secret:
    secret = parse_secret(value, _folder(info))
    secret.reveal()
    return secret


def _schedule(value: object) -> Schedule:
    return parse_schedule(_text(value))


def _encoding(encoding: str) -> str:
    if _is_text_encoding(encoding):
        return encoding
    known = {name.replace("_", "-") for name in aliases.values() if _is_text_encoding(name)}
    hint = did_you_mean(encoding, known) or "for example utf-8, gb18030, cp1252"
    raise InvalidValue(f"unknown text encoding {encoding!r}", hint)


def _is_text_encoding(name: str) -> bool:
    try:
        "".encode(name)
        return codecs.lookup(name).name not in _NOT_FOR_FILES
    except (LookupError, ValueError):
        return False


def _pattern(pattern: str) -> str:
    try:
        NamePattern(pattern)
    except ValueError as error:
        raise InvalidValue(str(error)) from None
    return pattern


def _handler(value: object, info: ValidationInfo) -> Program | None:
    return parse_handler(_text(value), _folder(info))


def _time_zone(value: object) -> tzinfo:
    return parse_time_zone(_text(value))


def _key(value: object) -> object:
    columns = value if isinstance(value, list) else [value]
    if not columns or not all(isinstance(column, str) and column for column in columns):
        raise InvalidValue("must be the name of a unique key, or an array of its columns")
    if isinstance(value, list):
        _distinct(value)
    return value


def _distinct(names: list[str]) -> list[str]:
    for name, count in Counter(names).items():
        if count > 1:
            raise InvalidValue(f"{name!r} is named {count} times")
    return names


def _name(name: str) -> str:
    if re.fullmatch(r"\w[\w.-]{0,63}", name) is None:
        raise InvalidValue(
            f"{name!r} cannot be a name", "up to 64 letters, digits, _ . - and no other characters"
        )
    return name


_SECRET_SCHEMA: dict[str, Any] = {
    "oneOf": [
        _STRING,
        *(
            {
                "type": "object",
                "properties": {form: _STRING},
                "required": [form],
                "additionalProperties": False,
            }
            for form in ("env", "file", "encrypted")
        ),
    ]
}

Text = Annotated[str, StringConstraints(min_length=1)]
Name = Annotated[str, AfterValidator(_name)]
NameList = Annotated[list[Text], AfterValidator(_distinct)]
KeyField = Annotated[str | list[str], BeforeValidator(_key)]
DatabaseUrlField = Annotated[URL, PlainValidator(_database_url), WithJsonSchema(_STRING)]
DropUrlField = Annotated[DropUrl, PlainValidator(_drop_url), WithJsonSchema(_STRING)]
PathField = Annotated[Path, PlainValidator(_path), WithJsonSchema(_STRING)]
SecretField = Annotated[Secret, PlainValidator(_secret), WithJsonSchema(_SECRET_SCHEMA)]
ScheduleField = Annotated[Schedule, PlainValidator(_schedule), WithJsonSchema(_STRING)]
EncodingField = Annotated[Text, AfterValidator(_encoding)]
PatternField = Annotated[Text, AfterValidator(_pattern)]
HandlerField = Annotated[Program | None, PlainValidator(_handler), WithJsonSchema(_STRING)]
TimeZoneField = Annotated[tzinfo, PlainValidator(_time_zone), WithJsonSchema(_STRING)]
