"""Passwords: the four forms, what is said when one cannot be had, and encryption."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from replicator.config import load
from replicator.config.errors import InvalidValue
from replicator.config.secret import (
    EncryptedSecret,
    EnvironmentSecret,
    FileSecret,
    PlainSecret,
    decrypt,
    encrypt,
    generate_key,
    parse_secret,
)

FOLDER = Path("/etc/replicator")
FORMS = '(write "text", { env = "NAME" }, { file = "path" } or { encrypted = "v1:..." })'
ENV = '{ env = "SHOP_DB_PASSWORD" }'

Problems = Callable[..., list[str]]


def test_forms() -> None:
    assert parse_secret("x", FOLDER) == PlainSecret("x")
    assert parse_secret({"env": "X"}, FOLDER) == EnvironmentSecret("X")
    assert parse_secret({"file": "x"}, FOLDER) == FileSecret(FOLDER / "x")
    assert parse_secret({"file": "/x"}, FOLDER) == FileSecret(Path("/x"))
    assert parse_secret({"encrypted": "v1:x"}, FOLDER) == EncryptedSecret("v1:x")


@pytest.mark.parametrize("secret", [PlainSecret("hunter2"), EncryptedSecret("hunter2")])
def test_repr_shows_nothing(secret: PlainSecret | EncryptedSecret) -> None:
    assert "hunter2" not in repr(secret)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('""', "must not be empty"),
        ("12345", f"must be a text or one of the tables for secrets {FORMS}"),
        ('{ env = "A", file = "b" }', f"must be a text or one of the tables for secrets {FORMS}"),
        ('{ env = "" }', f"must be a text or one of the tables for secrets {FORMS}"),
        ("{}", f"must be a text or one of the tables for secrets {FORMS}"),
        ('{ evn = "A" }', "unknown key 'evn' (did you mean 'env'?)"),
        ('{ vault = "A" }', f"unknown key 'vault' {FORMS}"),
        ('{ env = "NO_SUCH" }', "environment variable NO_SUCH is not set"),
        (
            '{ encrypted = "abc" }',
            "the key for encrypted values is missing (set REPLICATOR_KEY or REPLICATOR_KEY_FILE)",
        ),
    ],
)
def test_bad_secret(problems: Problems, value: str, expected: str) -> None:
    assert problems((ENV, value)) == [f"sources.shop.password: {expected}"]


def test_empty_variable(problems: Problems, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_DB_PASSWORD", "")

    assert problems() == ["sources.shop.password: environment variable SHOP_DB_PASSWORD is empty"]


def test_password_file(problems: Problems, tmp_path: Path) -> None:
    file = tmp_path / "shop.password"
    edit = (ENV, '{ file = "shop.password" }')
    key = "sources.shop.password"

    assert problems(edit) == [f"{key}: cannot read {file}: No such file or directory"]
    file.write_text("\n", encoding="utf-8")
    assert problems(edit) == [f"{key}: {file} is empty"]
    file.write_bytes(b"\xff\xfe")
    assert problems(edit) == [f"{key}: cannot read {file}: not UTF-8 text"]


def test_encrypted_password(
    edited: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = generate_key()
    path = edited((ENV, f'{{ encrypted = "{encrypt("geheim", key)}" }}'))

    monkeypatch.setenv("REPLICATOR_KEY", key)
    assert load(path).sources["shop"].connection_url().password == "geheim"

    monkeypatch.delenv("REPLICATOR_KEY")
    (tmp_path / "key").write_text(key + "\n", encoding="utf-8")
    monkeypatch.setenv("REPLICATOR_KEY_FILE", str(tmp_path / "key"))
    assert load(path).sources["shop"].connection_url().password == "geheim"


def test_wrong_key(problems: Problems, monkeypatch: pytest.MonkeyPatch) -> None:
    edit = (ENV, f'{{ encrypted = "{encrypt("geheim", generate_key())}" }}')

    monkeypatch.setenv("REPLICATOR_KEY", generate_key())
    assert problems(edit) == [
        "sources.shop.password: cannot be decrypted: wrong key, or the text was altered"
    ]
    monkeypatch.setenv("REPLICATOR_KEY", "short")
    assert problems(edit) == [
        "sources.shop.password: the key for encrypted values is not 32 bytes in base64url "
        "(make one with `replicator secret keygen`)"
    ]


@pytest.mark.parametrize("plain", ["x", "pässwörd 密码", "", "x" * 5000])
def test_round_trip(plain: str) -> None:
    key = generate_key()

    text = encrypt(plain, key)

    assert text.startswith("v1:")
    assert text.isascii()
    assert decrypt(text, key) == plain
    assert encrypt(plain, key) != text, "the nonce must be fresh"


def test_every_altered_character_is_noticed() -> None:
    key = generate_key()
    text = encrypt("geheim", key)
    # Bits beyond the last whole byte mean nothing, so the last character is left alone.
    for position in range(len("v1:"), len(text) - 1):
        other = "A" if text[position] != "A" else "B"
        with pytest.raises(InvalidValue, match="wrong key, or the text was altered"):
            decrypt(text[:position] + other + text[position + 1 :], key)


@pytest.mark.parametrize("text", ["v1:", "v1:AAAA", "v1:!!!!", "v1:Aé", "v1:A"])
def test_not_an_encrypted_text(text: str) -> None:
    with pytest.raises(InvalidValue, match="wrong key, or the text was altered"):
        decrypt(text, generate_key())


def test_another_version() -> None:
    with pytest.raises(InvalidValue) as caught:
        decrypt("v2:abcd", generate_key())

    assert caught.value.message == "the encrypted text does not begin with v1:"


def test_keys_are_random() -> None:
    assert generate_key() != generate_key()
    assert len(generate_key()) == len(os.urandom(32).hex()) * 2 // 3 + 1
