"""What the keys of a drop become for the store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from replicator.config import ConfigError, FilesTarget, load
from replicator.targets.files.store.settings import (
    FolderSettings,
    FtpSettings,
    SftpSettings,
    StoreSettings,
)

FINGERPRINT = "SHA256:" + "a" * 43


def drop(edited: Callable[..., Path], url: str, more: str = "") -> FilesTarget:
    path = edited(('url = "file:outgoing"', f'url = "{url}"\n{more}'))
    target = load(path).targets["partner"]
    assert isinstance(target, FilesTarget)
    return target


@pytest.mark.parametrize(
    ("url", "more", "expected"),
    [
        ("file:///srv/out", "", FolderSettings(Path("/srv/out"))),
        (
            "ftp://h",
            "",
            FtpSettings(host="h", port=21, user="anonymous", folder=""),
        ),
        (
            "ftps://u@h/out",
            'password = "x"',
            FtpSettings(host="h", port=21, user="u", folder="out", password="x", tls="explicit"),
        ),
        (
            "ftps://u@h/out",
            'tls = "implicit"\ntimeout = 5\nconnect_timeout = 2\nrename = false',
            FtpSettings(
                host="h",
                port=990,
                user="u",
                folder="out",
                tls="implicit",
                timeout=5,
                connect_timeout=2,
                rename=False,
            ),
        ),
        (
            "sftp://u@h//srv",
            f'key = "/k"\npassphrase = "y"\nhost_key = "{FINGERPRINT}="',
            SftpSettings(
                host="h",
                port=22,
                user="u",
                folder="/srv",
                key=Path("/k"),
                passphrase="y",
                host_key=FINGERPRINT,
            ),
        ),
    ],
)
def test_store_settings(
    edited: Callable[..., Path], url: str, more: str, expected: StoreSettings
) -> None:
    assert drop(edited, url, more).store_settings() == expected


def test_a_secret_that_went(edited: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DROP_PASSWORD", "x")
    target = drop(edited, "sftp://u@h", 'password = { env = "DROP_PASSWORD" }')
    monkeypatch.delenv("DROP_PASSWORD")
    with pytest.raises(ConfigError, match=r"partner\.password: environment variable DROP_PASS"):
        target.store_settings()
