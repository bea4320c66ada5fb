"""URLs: what is accepted, what is said about the rest, and that no password is ever shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from replicator.config import ConfigError, load
from replicator.config.address import (
    FolderUrl,
    ServerUrl,
    parse_database_url,
    parse_drop_url,
)
from replicator.config.errors import InvalidValue

FOLDER = Path("/etc/replicator")
EXAMPLE = "(write scheme://user@host:port/database)"


def reason(error: InvalidValue) -> str:
    return f"{error.message} ({error.hint})"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("db.internal/shop", "is not a URL (a URL begins with its scheme, such as postgresql://)"),
        ("postgres://h/d", "unknown URL scheme 'postgres' (did you mean 'postgresql'?)"),
        (
            "oracle://h/d",
            "unknown URL scheme 'oracle' (known: postgresql, mysql, mariadb, sqlite)",
        ),
        (
            "postgresql+psycopg2://h/d",
            "URL scheme 'postgresql+psycopg2' names a driver; the replicator chooses it "
            "(write postgresql://)",
        ),
        ("postgresql://u:hunter2@h:port/d", f"the URL's port is not a number {EXAMPLE}"),
        ("postgresql://u:hunter2@h", f"the URL names no database {EXAMPLE}"),
        (
            "mysql://u:hun@ter2@h/d",
            "the URL holds more than one @ (write @ in a user name or password as %40, "
            "or give the password in the key `password`)",
        ),
        (
            "mysql://u@h/d?Password=hunter2",
            "the URL's parameters hold a password (give the password in the key `password`)",
        ),
        (
            "sqlite://shop.db",
            "a SQLite URL has three slashes, or four for an absolute path "
            "(write sqlite:///path/to/file.db)",
        ),
        ("sqlite://", "the URL names no file (write sqlite:///path/to/file.db)"),
        ("sqlite:///:memory:", "the URL names no file (write sqlite:///path/to/file.db)"),
    ],
)
def test_bad_database_url(url: str, expected: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        parse_database_url(url, FOLDER)

    assert reason(caught.value) == expected


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///shop?host=/run/postgresql",
        "mysql://u@[::1]:3307/shop?ssl_ca=/etc/ca.pem",
        "mariadb://u@h/shop",
    ],
)
def test_good_database_url(url: str) -> None:
    parsed = parse_database_url(url, FOLDER)

    assert parsed.drivername == url.partition(":")[0]
    assert parsed.database == "shop"


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("file:out", "/etc/replicator/out"),
        ("file:out/%E5%87%BA", "/etc/replicator/out/出"),
        ("file:/srv/out", "/srv/out"),
        ("file:///srv/out", "/srv/out"),
    ],
)
def test_good_drop_url(url: str, path: str) -> None:
    assert parse_drop_url(url, FOLDER) == FolderUrl(Path(path))


@pytest.mark.parametrize(
    ("url", "expected", "shown"),
    [
        ("ftp://h", ServerUrl("ftp", "h", ""), "ftp://h/"),
        ("ftps://u@h/out", ServerUrl("ftps", "h", "out", "u"), "ftps://h/out"),
        (
            "sftp://a%40b@[::1]:2222//srv/%E5%87%BA%23/",
            ServerUrl("sftp", "::1", "/srv/出#", "a@b", 2222),
            "sftp://[::1]:2222//srv/出#",
        ),
    ],
)
def test_good_server_url(url: str, expected: ServerUrl, shown: str) -> None:
    assert parse_drop_url(url, FOLDER) == expected
    assert str(expected) == shown


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("out", "is not a URL (a folder is written file:out)"),
        ("sftp://u:hunter2@h/x", "the URL holds a password (give it in the key `password`)"),
        ("sftp://h/x", "the URL names no user (write scheme://user@host:port/folder)"),
        ("ftp:out", "the URL names no host (write scheme://user@host:port/folder)"),
        ("ftps://u@/out", "the URL names no host (write scheme://user@host:port/folder)"),
        ("ftps://u@h:x/out", "is not a URL of ftps (write scheme://user@host:port/folder)"),
        ("ftp://u@x@h/out", "the URL holds more than one @ (write @ in a user name as %40)"),
        ("ftp://u@h/out?x=1", "the URL has parameters (write ? as %3F and # as %23)"),
        (
            "ftp://u@h/out%0D%0ADELE%20x",
            "the URL holds control characters (write scheme://user@host:port/folder)",
        ),
        ("flie:out", "unknown URL scheme 'flie' (did you mean 'file'?)"),
        ("s3://u/x", "unknown URL scheme 's3' (known: file, ftp, ftps, sftp)"),
        ("file:", "the URL names no folder (write file:folder or file:///folder)"),
        ("file:out?x=1", "a file URL has no parameters (write ? as %3F and # as %23)"),
        ("file://[", "is not a file URL (write file:folder or file:///folder)"),
        (
            "file://out/x",
            "a file URL has no host "
            "(write file:folder (in the configuration's folder) or file:///folder)",
        ),
    ],
)
def test_bad_drop_url(url: str, expected: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        parse_drop_url(url, FOLDER)

    assert reason(caught.value) == expected


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (
            'password = "x"',
            "targets.crm.password: the URL holds a password too (keep one of the two)",
        ),
        ("pasword = 1", "targets.crm.pasword: unknown key (did you mean 'password'?)"),
        ('schema = "x"', "targets.crm.schema: unknown key"),
    ],
)
def test_problems_never_show_a_password(
    problems: Callable[..., list[str]], more: str, expected: str
) -> None:
    lines = problems(("sync@crm.example/crm", f'sync:hunter2@crm.example/crm"\n{more}#'))

    assert lines == [expected]


@pytest.mark.parametrize(
    "url",
    [
        "mysql://sync:hunter2@crm.example:x/crm",
        "mysql://sync:hunter2@crm.example",
        "mysql://sync:hunter2/crm",
        "mysql:/sync:hunter2@crm.example/crm",
        "mysql//sync:hunter2@crm.example/crm",
        "mysql+x://sync:hunter2@crm.example/crm",
        "sqlite://sync:hunter2@crm.example/crm",
        "mysql://sync:@hunter2@crm.example/crm",
    ],
)
def test_a_bad_url_is_never_shown(edited: Callable[..., Path], url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(edited(("mysql://sync@crm.example/crm", url)))

    assert [problem.key for problem in caught.value.problems] == ["targets.crm.url"]
    assert "hunter2" not in str(caught.value) + repr(caught.value.problems)
    assert "sync" not in str(caught.value)
    assert caught.value.__context__ is None, "a traceback would show the cause's input"


def test_repr_never_shows_a_password(edited: Callable[..., Path]) -> None:
    config = load(
        edited(
            ('{ env = "SHOP_DB_PASSWORD" }', '"hunter2"'),
            ("sync@crm", "sync:hunter2@crm"),
        )
    )

    assert "hunter2" not in repr(config)
    assert "hunter2" not in str(config)
    assert "hunter2" not in repr(config.sources["shop"].connection_url())
    assert config.sources["shop"].connection_url().password == "hunter2"


def test_sqlite_has_neither_password_nor_schema(problems: Callable[..., list[str]]) -> None:
    lines = problems(
        ("postgresql://replicator@db.internal/shop", "sqlite:///shop.db"),
        ("[targets.crm]", 'schema = "outbox"\n[targets.crm]'),
    )

    assert lines == [
        "sources.shop.password: a SQLite database has no password",
        "sources.shop.schema: only PostgreSQL sources have a schema for the outbox tables",
    ]
