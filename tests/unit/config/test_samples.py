"""Every file of the top-level `config/` folder is what it claims to be."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from replicator.config import load
from replicator.config.model import Config, FilesTarget, Route, Source, TableOptions
from replicator.config.schema import schema_text
from replicator.config.starter import starter_text

FOLDER = Path(__file__).parents[3] / "config"
SAMPLES = sorted(FOLDER.rglob("*.toml"))


def load_sample(text: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    for variable in re.findall(r'env = "(\w+)"', text):
        monkeypatch.setenv(variable, "x")
    path.write_text(text, encoding="utf-8")
    return load(path)


@pytest.mark.docs
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_sample_loads(sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = sample.read_text(encoding="utf-8")

    folder = tmp_path / "sample"
    shutil.copytree(sample.parent, folder)  # with the handlers' programs
    config = load_sample(text, folder / sample.name, monkeypatch)

    used = {target for route in config.routes for target in route.targets}
    assert used == set(config.targets), "every target of a sample is used"
    assert {route.source for route in config.routes} == set(config.sources)


@pytest.mark.docs
def test_there_is_a_sample_for_each_use_case() -> None:
    assert (FOLDER / "examples" / "unified-users" / "replicator.toml") in SAMPLES
    assert {sample.stem for sample in SAMPLES} >= {
        "replicator.starter",
        "postgresql-to-mysql-and-backup",
        "sqlite-to-csv-drop",
        "two-way-postgresql",
        "several-sources",
        "python-lookup",
        "shell-append",
    }


@pytest.mark.docs
def test_the_starter_names_every_option() -> None:
    text = starter_text()

    for model in (Source, TableOptions, FilesTarget, Route):
        for name, field in model.model_fields.items():
            key = field.alias or name
            written = rf"^(# )?{key} = |\[(\[)?\w+\.(\w+\.)?{key}[.\]]"
            assert re.search(written, text, re.MULTILINE), f"{model.__name__}: {key}"


@pytest.mark.docs
def test_the_starters_commented_options_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each option taken out of its comment is valid, and its text says the true default."""
    text = starter_text()
    text = re.sub(r"^# (password|key = \[|host_key).*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"^# (?=\w+ = |\[)", "", text, flags=re.MULTILINE)

    config = load_sample(text, tmp_path / "replicator.toml", monkeypatch)

    shop = config.sources["shop"]
    assert shop.model_fields_set == set(Source.model_fields)
    assert (shop.schema_name, shop.batch_rows) == ("outbox", 50_000)
    options = shop.tables["public.orders"]
    assert options.model_fields_set == set(TableOptions.model_fields)
    assert options == TableOptions(exclude=["card_number"], key="orders_order_no_key")
    partner = config.targets["partner"]
    assert isinstance(partner, FilesTarget)
    fields = set()
    for target in config.targets.values():
        fields |= target.model_fields_set if isinstance(target, FilesTarget) else set()
    assert fields | {"password", "host_key"} == set(FilesTarget.model_fields)
    for field in ("format", "encoding"):
        assert getattr(partner, field) == FilesTarget.model_fields[field].default
    assert config.routes[0].model_fields_set == set(Route.model_fields)


def test_the_schema_is_up_to_date() -> None:
    committed = (FOLDER / "replicator.schema.json").read_text(encoding="utf-8")

    assert committed == schema_text(), "write `replicator schema` to config/replicator.schema.json"


def test_the_starter_is_read_from_the_package_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "replicator" / "config"
    package.mkdir(parents=True)
    monkeypatch.setattr("replicator.config.starter.__file__", str(package / "starter.py"))
    shutil.copy(FOLDER / "replicator.starter.toml", package / "starter.toml")

    assert starter_text() == (FOLDER / "replicator.starter.toml").read_text(encoding="utf-8")
