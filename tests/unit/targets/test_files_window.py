from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.targets.files.window import TimeWindows, parse_window

BERLIN = ZoneInfo("Europe/Berlin")  # 2026-03-29 02:00 -> 03:00, 2026-10-25 03:00 -> 02:00
KOLKATA = ZoneInfo("Asia/Kolkata")  # +05:30
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # changes by half an hour


def at(
    year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: float = 0
) -> datetime:
    whole = datetime(year, month, day, hour, minute, tzinfo=UTC)
    return whole + timedelta(seconds=second)


def clocks(windows: TimeWindows, start: datetime, end: datetime) -> list[tuple[str, float]]:
    """The windows of a span: what the clock shows at their starts, and their hours."""
    found = []
    while start < end:
        window = windows.containing(start)
        assert window.start == start
        local = windows.local(window)
        found.append((f"{local.start:%H:%M}", (window.end - window.start) / timedelta(hours=1)))
        start = window.end
    return found


@pytest.mark.parametrize(
    ("text", "seconds"), [("2s", 2), ("30m", 1800), ("1h", 3600), ("1d", 86400), ("7d", 604800)]
)
def test_lengths(text: str, seconds: int) -> None:
    assert parse_window(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "1", "1.5h", "0m", "-1h", "7h", "36h", "32d", "1w"])
def test_unusable_lengths(text: str) -> None:
    with pytest.raises(ValueError, match="the window"):
        parse_window(text)


def test_hours() -> None:
    window = TimeWindows(3600).containing(at(2026, 11, 21, 13, 59, 59.999999))
    assert (window.start, window.end) == (at(2026, 11, 21, 13), at(2026, 11, 21, 14))
    assert TimeWindows(3600).containing(window.end).start == window.end
    half_past = TimeWindows(3600, KOLKATA).containing(at(2026, 11, 21, 13, 14))
    assert half_past.start == at(2026, 11, 21, 12, 30)


@pytest.mark.parametrize(
    ("day", "hours"), [((2026, 3, 28), 24), ((2026, 3, 29), 23), ((2026, 10, 25), 25)]
)
def test_days_begin_at_midnight_of_the_zone(day: tuple[int, int, int], hours: int) -> None:
    midnight = datetime(*day, tzinfo=BERLIN)
    for minute in (0, 1, 12 * 60, 22 * 60 + 59):
        window = TimeWindows(86400, BERLIN).containing(midnight + timedelta(minutes=minute))
        assert window.start == midnight
        assert window.end - window.start == timedelta(hours=hours)


def test_the_hour_that_is_skipped_and_the_one_that_comes_twice() -> None:
    hours = TimeWindows(3600, BERLIN)
    spring = clocks(hours, at(2026, 3, 29, 0), at(2026, 3, 29, 3))
    assert spring == [("01:00", 1), ("03:00", 1), ("04:00", 1)]
    autumn = clocks(hours, at(2026, 10, 24, 23), at(2026, 10, 25, 3))
    assert autumn == [("01:00", 1), ("02:00", 2), ("03:00", 1)]
    halves = TimeWindows(1800, BERLIN)
    assert clocks(halves, at(2026, 3, 29, 0, 30), at(2026, 3, 29, 1, 30)) == [
        ("01:30", 0.5),
        ("03:00", 0.5),
    ]
    six = TimeWindows(6 * 3600, BERLIN)
    assert clocks(six, at(2026, 3, 28, 23), at(2026, 3, 29, 22)) == [
        ("00:00", 5),
        ("06:00", 6),
        ("12:00", 6),
        ("18:00", 6),
    ]


@given(
    st.integers(0, 2 * 365 * 86400).map(lambda second: at(2026, 1, 1) + timedelta(seconds=second)),
    st.sampled_from([2, 60, 900, 1800, 3600, 7200, 6 * 3600, 86400, 7 * 86400]),
    st.sampled_from([UTC, BERLIN, KOLKATA, LORD_HOWE, ZoneInfo("America/New_York")]),
)
def test_every_moment_is_in_exactly_one_window(
    moment: datetime, seconds: int, zone: ZoneInfo
) -> None:
    windows = TimeWindows(seconds, zone)
    window = windows.containing(moment)
    assert window.start <= moment < window.end
    assert windows.containing(window.start) == window
    assert windows.containing(window.end - timedelta(microseconds=1)) == window
    assert windows.containing(window.end).start == window.end
