"""The configuration's models: what each key means, its default, and which values it takes.

Made by `replicator.config.load`, which also checks what one key alone cannot show.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from sqlalchemy.engine import URL

from replicator.config.address import FolderUrl
from replicator.config.backup import BackupTarget
from replicator.config.drop import DropPlace
from replicator.config.drop_files import DropFiles
from replicator.config.errors import InvalidValue
from replicator.config.field import (
    DatabaseUrlField,
    HandlerField,
    KeyField,
    Name,
    NameList,
    ScheduleField,
    SecretField,
    Text,
    TimeZoneField,
)
from replicator.config.file_format import FileContents
from replicator.config.keypath import key_path
from replicator.config.section import SecretSection, Section
from replicator.config.zone import local_time_zone
from replicator.handlers import Program


class TableOptions(Section):
    """How changes of one table are captured."""

    before: Literal["key", "full"] = "key"
    """What the change keeps of the old row: its key, or all columns. Deletes keep all."""

    key: KeyField | None = None
    """For a table without primary key: the name of a unique key, or a list of its columns."""

    exclude: NameList = []
    """Columns that are never captured."""

    origin: Literal["skip", "record"] = "skip"
    """Changes that a replicator wrote: left out, or captured with their origin."""

    always: bool = False
    """PostgreSQL: fire in sessions in replica role too."""

    @field_validator("exclude")
    @classmethod
    def _check_exclude(cls, exclude: list[str], info: ValidationInfo) -> list[str]:
        key = info.data.get("key")
        for column in exclude:
            if isinstance(key, list) and column in key:
                raise InvalidValue(f"column {column!r} is part of the key")
        return exclude


class Database(SecretSection):
    """A database that the replicator connects to."""

    url: DatabaseUrlField
    """postgresql | mysql | mariadb | sqlite, as in postgresql://user@host/database."""

    password: SecretField | None = None
    """{ env = "NAME" }, { file = "path" }, { encrypted = "v1:..." } or the text itself."""

    @field_validator("password")
    @classmethod
    def _check_password(cls, password: SecretField, info: ValidationInfo) -> SecretField:
        url = info.data.get("url")
        if url is not None and url.get_backend_name() == "sqlite":
            raise InvalidValue("a SQLite database has no password")
        if url is not None and url.password is not None:
            raise InvalidValue("the URL holds a password too", "keep one of the two")
        return password

    def connection_url(self) -> URL:
        """Return the URL with the password in it, read anew from where it is kept.

        The scheme is the user's; `triggers.engine.make_engine` knows its driver. Raises
        `ConfigError` when the password cannot be had (any more).
        """
        password = self._reveal("password", self.password)
        return self.url if password is None else self.url.set(password=password)


class Source(Database):
    """A database whose changes are captured."""

    tables: dict[Text, TableOptions] = {}
    """Capture options of single tables; which tables are captured is what the routes say."""

    schema_name: Text = Field(default="outbox", alias="schema")
    """PostgreSQL: the schema of the outbox tables."""

    batch_rows: int = Field(default=50_000, ge=1, le=1_000_000)
    """The highest number of changes that are sealed into one batch."""

    @field_validator("schema_name")
    @classmethod
    def _check_schema(cls, schema_name: str, info: ValidationInfo) -> str:
        url = info.data.get("url")
        if url is not None and url.get_backend_name() != "postgresql":
            raise InvalidValue("only PostgreSQL sources have a schema for the outbox tables")
        return schema_name


class SqlTarget(Database):
    """A database that rows are written to."""

    type: Literal["sql"]

    unfit: Literal["error", "null", "clamp"] = "error"
    """What is written for a value that the target's column cannot hold: "error" sets the row aside
    as a dead letter, "null" writes NULL, "clamp" the nearest value that it can hold. Where there is
    none, and in keys, "error" holds. `status` counts what was changed."""


class FilesTarget(FileContents, DropFiles, DropPlace):
    """A place where files are dropped for a third party."""

    type: Literal["files"]

    @field_validator("local_copy")
    @classmethod
    def _check_local_copy(cls, local_copy: Path | None, info: ValidationInfo) -> Path | None:
        url = info.data.get("url")
        if (
            local_copy is not None
            and isinstance(url, FolderUrl)
            and local_copy.resolve() == url.path.resolve()
        ):
            raise InvalidValue("must be another folder than the one that the url names")
        return local_copy


class HandlerTarget(Section):
    """A place that only the routes' handlers know: a web service, a queue, a program of yours."""

    type: Literal["handler"]


Target = SqlTarget | FilesTarget | BackupTarget | HandlerTarget


Expressions = Annotated[dict[Text, Text], Field(min_length=1)]


class Route(Section):
    """Which tables of a source go to which targets, when, and by which handler."""

    name: Name
    """Unique among the routes; part of the progress kept in the source, so keep it stable."""

    source: str
    """One of the sources."""

    tables: NameList = Field(min_length=1)
    """Tables of the source, as the source names them: "public.orders", "orders"."""

    targets: NameList = Field(min_length=1)
    """Some of the targets. Each gets the changes on its own and holds up no other."""

    schedule: ScheduleField = Field(default="realtime", validate_default=True)
    """"realtime", "every 30m" (s, m, h, d), or "cron 0 * * * *"."""

    timezone: TimeZoneField | None = None
    """Of the schedule, such as "Asia/Shanghai"; by default that of the machine."""

    handler: HandlerField = Field(default="default", validate_default=True)
    """What delivers: "default", the target's own; "python:module:Class"; or "exec:./program"."""

    handlers: dict[Text, HandlerField] = {}
    """Tables of the route that have another handler than `handler`."""

    handler_timeout: float = Field(default=60.0, gt=0, le=86400)
    """Seconds that an exec: handler may take for one batch, of about a thousand changes at most."""

    into: dict[Text, Text] = {}
    """Source table to target table, where the name differs."""

    columns: dict[Text, Expressions] = {}
    """For a table: target column = SQL over a row of it, in the source's own dialect. Only these
    columns go to the targets."""

    where: dict[Text, Text] = {}
    """For a table: a condition in the source's SQL. Rows that do not meet it stay out of the
    targets, and are deleted there when they no longer do."""

    schema_changes: Literal["stop", "ignore", "apply"] = "stop"
    """What SQL targets do when columns of the source's tables change: "stop" stops the delivery and
    tells the statements to run, "ignore" goes on with the columns that the target knows, "apply"
    adds columns to the target, and stops for what is no addition."""

    def handler_of(self, table: str) -> Program | None:
        """Return what delivers one of the route's tables; None is the target's own handler."""
        return self.handlers.get(table, self.handler)

    def own_tables(self) -> list[str]:
        """Return the tables that the targets' own handler delivers."""
        return [table for table in self.tables if self.handler_of(table) is None]

    def target_names(self, canonical: Callable[[str], str]) -> dict[str, str]:
        """Return `into` by the source's own names of its tables, which `canonical` gives."""
        return {canonical(table): other for table, other in self.into.items()}

    def next_run(self, moment: datetime) -> datetime:
        """Return when the schedule comes true after a moment (with time zone)."""
        return self.schedule.next_after(moment.astimezone(self.timezone or local_time_zone()))


class Config(Section):
    """One configuration file."""

    sources: dict[Name, Source] = Field(min_length=1)
    """Databases whose changes are captured, by name."""

    targets: dict[Name, Annotated[Target, Field(discriminator="type")]] = Field(min_length=1)
    """Where changes are delivered, by name."""

    routes: list[Route] = Field(min_length=1)
    """What goes where."""

    _path: Path | None = PrivateAttr(default=None)

    @property
    def path(self) -> Path | None:
        """The file that this was read from."""
        return self._path

    def route(self, name: str) -> Route:
        """Return the route of a name that is in the file."""
        return next(route for route in self.routes if route.name == name)

    @model_validator(mode="after")
    def _tell_places(self, info: ValidationInfo) -> Self:
        self._path = info.context
        for table, sections in (("sources", self.sources), ("targets", self.targets)):
            for name, section in sections.items():
                if isinstance(section, SecretSection):
                    section.tell_place(self._path, key_path((table, name)))
        return self
