"""Finding and reading the file: its place, its syntax, its defaults, its relative paths."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from replicator.config import (
    BackupTarget,
    ConfigError,
    FilesTarget,
    SqlTarget,
    TableOptions,
    find,
    load,
)
from replicator.config.address import FolderUrl
from replicator.config.file_format import CsvFormat
from replicator.config.schedule import Realtime


def test_defaults(edited: Callable[..., Path]) -> None:
    path = edited()

    config = load(path)

    assert config.path == path
    shop = config.sources["shop"]
    assert (shop.schema_name, shop.batch_rows, shop.tables) == ("outbox", 50_000, {})
    (route,) = config.routes
    assert route.schedule == Realtime()
    assert (route.handler, route.handlers, route.handler_timeout) == (None, {}, 60)
    assert (route.timezone, route.into) == (None, {})
    partner = config.targets["partner"]
    assert isinstance(partner, FilesTarget)
    assert (partner.format, partner.encoding) == (CsvFormat(), "utf-8")
    assert (partner.name, partner.local_copy) == ("{table}_{batch:012d}.csv", None)
    assert TableOptions() == TableOptions(
        before="key", exclude=[], key=None, origin="skip", always=False
    )


def test_every_option(edited: Callable[..., Path]) -> None:
    path = edited(
        ('shop"\npassword', 'shop"\nschema = "capture"\nbatch_rows = 10\npassword'),
        ("file:outgoing", "file:///srv/out%20going"),
        (
            "[[routes]]",
            """
            [sources.shop.tables."public.orders"]
            before = "full"
            exclude = ["card_number"]
            key = "orders_no"
            origin = "record"
            always = true
            [sources.shop.tables."public.order_lines"]
            key = ["order_no", "line"]
            [[routes]]
            schedule = "every 30m"
            """,
        ),
        more='[routes.into]\n"public.orders" = "crm_orders"',
    )

    config = load(path)

    shop = config.sources["shop"]
    assert (shop.schema_name, shop.batch_rows) == ("capture", 10)
    assert shop.tables["public.orders"] == TableOptions(
        before="full", exclude=["card_number"], key="orders_no", origin="record", always=True
    )
    assert shop.tables["public.order_lines"].key == ["order_no", "line"]
    partner = config.targets["partner"]
    assert isinstance(partner, FilesTarget)
    assert partner.url == FolderUrl(Path("/srv/out going"))
    (route,) = config.routes
    assert route.into == {"public.orders": "crm_orders"}
    noon = datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert route.schedule.next_after(noon) == noon.replace(minute=30)


def test_connection_url_has_the_password_and_the_users_scheme(
    edited: Callable[..., Path],
) -> None:
    config = load(edited())

    url = config.sources["shop"].connection_url()

    assert url.render_as_string(hide_password=False) == (
        "postgresql://replicator:tr0ub4dor@db.internal/shop"
    )
    crm = config.targets["crm"]
    assert isinstance(crm, SqlTarget)
    assert str(crm.connection_url()) == "mysql://sync@crm.example/crm"


def test_connection_url_reads_the_password_anew(
    edited: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = edited()
    shop = load(path).sources["shop"]
    monkeypatch.setenv("SHOP_DB_PASSWORD", "changed")
    assert shop.connection_url().password == "changed"

    monkeypatch.delenv("SHOP_DB_PASSWORD")
    with pytest.raises(ConfigError) as caught:
        shop.connection_url()

    assert str(caught.value) == (
        f"{path}: sources.shop.password: environment variable SHOP_DB_PASSWORD is not set"
    )


def test_relative_paths_start_at_the_files_folder(
    edited: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = edited(
        ("postgresql://replicator@db.internal/shop", "sqlite:///data/shop.db"),
        ('password = { env = "SHOP_DB_PASSWORD" }', ""),
        ('sync@crm.example/crm"', 'sync@crm.example/crm"\npassword = { file = "crm.password" }'),
        ("[targets.backup]", 'local_copy = "sent"\n[targets.backup]'),
    )
    (tmp_path / "crm.password").write_text("from file\n\n", encoding="utf-8")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)

    config = load(Path("..") / path.name)

    folder = elsewhere / ".."
    assert config.sources["shop"].connection_url().database == str(folder / "data/shop.db")
    crm, partner, backup = (config.targets[name] for name in ("crm", "partner", "backup"))
    assert isinstance(crm, SqlTarget)
    assert crm.connection_url().password == "from file\n"
    assert isinstance(partner, FilesTarget)
    assert partner.url == FolderUrl(folder / "outgoing")
    assert partner.local_copy == folder / "sent"
    assert isinstance(backup, BackupTarget)
    assert backup.path == folder / "var/backup"


def test_absolute_paths_stay(edited: Callable[..., Path]) -> None:
    config = load(
        edited(("var/backup", "/srv/backup"), ("mysql://sync@crm.example/", "sqlite:////"))
    )

    crm, backup = config.targets["crm"], config.targets["backup"]
    assert isinstance(crm, SqlTarget)
    assert crm.connection_url().database == "/crm"
    assert isinstance(backup, BackupTarget)
    assert backup.path == Path("/srv/backup")


def test_a_byte_order_mark_is_no_obstacle(edited: Callable[..., Path]) -> None:
    path = edited()
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))

    assert list(load(path).targets) == ["crm", "partner", "backup"]


def test_toml_syntax(problems: Callable[..., list[str]]) -> None:
    assert problems(('path = "var/backup"', "path var/backup")) == [
        "is not valid TOML: expected '=' after a key in a key/value pair (at line 16, column 6)"
    ]


def test_not_text(edited: Callable[..., Path]) -> None:
    path = edited()
    path.write_bytes(b'name = "caf\xe9"')

    with pytest.raises(ConfigError) as caught:
        load(path)

    assert str(caught.value) == f"{path}: is not UTF-8 text (save the file as UTF-8)"


def test_a_folder_instead_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)

    assert str(caught.value) == f"{tmp_path}: cannot be read: Is a directory"


def test_load_says_when_the_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "none.toml")

    assert str(caught.value) == (
        f"{tmp_path / 'none.toml'}: no such file "
        "(`replicator init` writes a commented one to start from)"
    )


def test_find_prefers_the_argument_then_the_variable_then_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("given.toml", "named.toml", "replicator.toml"):
        (tmp_path / name).touch()

    assert find() == Path("replicator.toml")
    monkeypatch.setenv("REPLICATOR_CONFIG", "named.toml")
    assert find() == Path("named.toml")
    assert find(Path("given.toml")) == Path("given.toml")


def test_find_says_where_it_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    hint = "(`replicator init` writes a commented one to start from)"

    with pytest.raises(ConfigError) as caught:
        find()
    assert str(caught.value) == f"replicator.toml: no such file in the current folder {hint}"

    with pytest.raises(ConfigError) as caught:
        find(Path("given.toml"))
    assert str(caught.value) == f"given.toml: no such file {hint}"

    monkeypatch.setenv("REPLICATOR_CONFIG", "named.toml")
    with pytest.raises(ConfigError) as caught:
        find()
    assert str(caught.value) == f"named.toml: no such file, named by REPLICATOR_CONFIG {hint}"
