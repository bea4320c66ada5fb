"""Time zones: by name, and the machine's own with its clock changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from replicator.config import load, zone
from replicator.config.errors import InvalidValue

SUMMER = datetime(2026, 7, 1, 12, tzinfo=UTC)
WINTER = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    zone.local_time_zone.cache_clear()
    yield
    zone.local_time_zone.cache_clear()


def offsets() -> tuple[str, str]:
    """The machine's offsets in winter and in summer."""
    local = zone.local_time_zone()
    return f"{WINTER.astimezone(local):%z}", f"{SUMMER.astimezone(local):%z}"


def test_a_name() -> None:
    assert zone.parse_time_zone("Asia/Shanghai") == ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize("name", ["Asia/Shangai", "../etc/passwd", "/etc/localtime", "Asia"])
def test_no_name(name: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        zone.parse_time_zone(name)

    assert caught.value.message == f"unknown time zone {name!r}"


def test_the_hint_offers_the_nearest() -> None:
    with pytest.raises(InvalidValue) as caught:
        zone.parse_time_zone("Asia/Shangai")

    assert caught.value.hint == "did you mean 'Asia/Shanghai'?"


@pytest.mark.parametrize("name", ["Europe/Berlin", ":Europe/Berlin"])
def test_the_local_one_is_that_of_tz(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("TZ", name)

    assert offsets() == ("+0100", "+0200")


def test_the_local_one_is_that_of_the_machines_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "localtime"
    file.write_bytes(Path("/usr/share/zoneinfo/America/New_York").read_bytes())
    monkeypatch.delenv("TZ", raising=False)
    monkeypatch.setattr(zone, "_LOCAL_FILE", file)

    assert offsets() == ("-0500", "-0400")


def test_without_any_it_is_the_present_offset(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("TZ", raising=False)
    monkeypatch.setattr(zone, "_LOCAL_FILE", tmp_path / "missing")

    assert (
        datetime.now(zone.local_time_zone()).utcoffset() == datetime.now().astimezone().utcoffset()
    )


def test_a_route_reads_its_schedule_in_its_zone(edited: Callable[..., Path]) -> None:
    schedule = 'name = "orders"\nschedule = "cron 0 2 * * *"\ntimezone = "Asia/Shanghai"'
    route = load(edited(('name = "orders"', schedule))).routes[0]

    following = route.next_run(datetime(2026, 7, 1, tzinfo=UTC))

    assert following.isoformat() == "2026-07-02T02:00:00+08:00"
