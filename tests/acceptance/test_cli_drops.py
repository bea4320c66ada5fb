"""`replicator drops`: what was sent, once more, and what a receiver checks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from replicator.targets.files.verify import verify_folder
from tests.acceptance.command_line import CommandLine

NAMED = 'url = "file:outgoing"\nname = "{table}_{batch:06d}.csv"\nmanifest = "{batch:06d}.json"'


@pytest.fixture(scope="module")
def three_drops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop of which three drops were fetched: the drop folder is gone, `incoming` has all."""
    shop = CommandLine(tmp_path_factory.mktemp("drops"))
    shop.edit('url = "file:outgoing"', NAMED)
    shop.prepare()
    for number in (1, 2, 3):
        shop.sql(f"INSERT INTO orders (id) VALUES ({number})")
        shop.ok("run", "--once")
    (shop.folder / "outgoing").rename(shop.folder / "incoming")
    return shop.folder


@pytest.fixture
def sent(three_drops: Path, tmp_path: Path) -> CommandLine:
    """A copy of it."""
    folder = tmp_path / "shop"
    shutil.copytree(three_drops, folder)
    return CommandLine(folder, (folder / "replicator.toml").read_text())


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def listed(shop: CommandLine) -> list[Any]:
    found: list[Any] = json.loads(shop.ok("drops", "list", "--json"))
    return found


def test_list(sent: CommandLine) -> None:
    drops = listed(sent)
    assert [drop["delivery"] for drop in drops] == ["orders/drop"] * len(drops)
    names = {file["name"] for drop in drops for file in drop["files"]}
    assert names == set(files(sent.folder / "incoming"))
    assert {file["state"] for drop in drops for file in drop["files"]} == {"done"}
    out = sent.ok("drops", "list", "drop", "--last", "1")
    assert drops[-1]["files"][0]["name"] in out
    assert drops[0]["files"][0]["name"] not in out
    wrong = sent.run("drops", "list", "drip")
    assert (wrong.code, "did you mean 'drop'?" in wrong.errors) == (2, True)


def test_resend(sent: CommandLine) -> None:
    first, second, *_ = listed(sent)
    fetched = files(sent.folder / "incoming")
    manifest = next(file["name"] for file in first["files"] if file["is_manifest"])
    sent.ok("drops", "resend", manifest)
    again = files(sent.folder / "outgoing")
    assert set(again) == {file["name"] for file in first["files"]}

    single = second["files"][0]["name"]
    sent.ok("drops", "resend", single, "--target", "drop")
    again = files(sent.folder / "outgoing")
    assert single in again
    assert again.items() <= fetched.items()

    wrong = sent.run("drops", "resend", "2001-01-01T00:00")
    assert (wrong.code, "there is no drop" in wrong.errors) == (2, True)
    (sent.folder / "drops" / "drop" / single).write_text("changed")
    wrong = sent.run("drops", "resend", single)
    assert (wrong.code, "is missing or was changed" in wrong.errors) == (1, True)


def test_verify(sent: CommandLine) -> None:
    incoming = sent.folder / "incoming"
    sent.path.unlink()  # the receiver has no configuration
    assert "0 problems" in sent.ok("drops", "verify", "incoming")
    report = json.loads(sent.ok("drops", "verify", "incoming", "--json"))
    manifests = sorted(incoming.glob("*.json"))
    assert report["manifests"] == len(manifests) >= 3
    assert report["chains"][0]["delivery"] == "orders/drop"

    (incoming / "stray.csv").touch()
    done = sent.run("drops", "verify", "incoming")
    assert (done.code, "stray.csv" in done.out, "1 problems" in done.out) == (1, True, True)


@pytest.mark.parametrize(
    ("harm", "kind"),
    [
        ("a manifest of the middle is gone", "gap"),
        ("a file is gone", "missing"),
        ("a file is shorter", "damaged"),
        ("a byte is another", "damaged"),
        ("a manifest was edited", "damaged"),
        ("a manifest is half", "damaged"),
        ("there is another file", "unlisted"),
    ],
)
def test_verify_names_what_is_wrong(sent: CommandLine, harm: str, kind: str) -> None:
    incoming = sent.folder / "incoming"
    manifest = sorted(incoming.glob("*.json"))[1]
    data = json.loads(manifest.read_text())
    file = incoming / data["files"][0]["name"]
    name = file.name
    match harm:
        case "a manifest of the middle is gone":
            for entry in data["files"]:
                (incoming / entry["name"]).unlink()
            manifest.unlink()
            name = manifest.name
        case "a file is gone":
            file.unlink()
        case "a file is shorter":
            file.write_bytes(file.read_bytes()[:-1])
        case "a byte is another":
            content = bytearray(file.read_bytes())
            content[-3] ^= 1
            file.write_bytes(content)
        case "a manifest was edited":
            manifest.write_text(manifest.read_text().replace('"epoch"', '"epoch" '))
            name = manifest.name
        case "a manifest is half":
            manifest.write_bytes(manifest.read_bytes()[:100])
            name = manifest.name
        case _:
            shutil.copy(file, incoming / "stray.csv")
            name = "stray.csv"
    found = [(problem.kind, problem.name) for problem in verify_folder(incoming).problems]
    assert (kind, name) in found


def test_verify_without_folder(shop: CommandLine) -> None:
    done = shop.run("drops", "verify", "nowhere")
    assert (done.code, "there is no folder nowhere" in done.errors) == (1, True)
