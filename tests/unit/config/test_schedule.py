"""Schedules: what is read, when it is due, what is said about the rest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from replicator.config.errors import InvalidValue
from replicator.config.schedule import Cron, Every, Realtime, Schedule, parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("realtime", Realtime()),
        ("every 30s", Every(30)),
        ("every 90m", Every(5400)),
        ("every 1h", Every(3600)),
        ("every 2d", Every(172800)),
        ("cron 0 * * * *", Cron("0 * * * *")),
        ("cron 30 2 * * MON-FRI", Cron("30 2 * * MON-FRI")),
    ],
)
def test_parse(text: str, expected: Schedule) -> None:
    assert parse(text) == expected
    assert str(parse(text)) == text


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("schedule", "moment", "expected"),
    [
        ("realtime", "2026-01-31T12:00:01+00:00", "2026-01-31T12:00:01+00:00"),
        ("every 30m", "2026-01-31T12:00:00+00:00", "2026-01-31T12:30:00+00:00"),
        ("every 30m", "2026-01-31T12:29:59.999999+00:00", "2026-01-31T12:30:00+00:00"),
        ("every 30m", "2026-01-31T12:31:00+00:00", "2026-01-31T13:00:00+00:00"),
        ("every 1d", "2026-01-31T23:59:00+02:00", "2026-02-01T00:00:00+02:00"),
        ("every 6h", "2026-01-31T13:10:00+05:30", "2026-01-31T18:00:00+05:30"),
        ("cron 0 * * * *", "2026-01-31T12:00:00+00:00", "2026-01-31T13:00:00+00:00"),
        ("cron 30 2 * * MON", "2026-01-31T12:00:00+00:00", "2026-02-02T02:30:00+00:00"),
    ],
)
def test_next_after(schedule: str, moment: str, expected: str) -> None:
    result = parse(schedule).next_after(at(moment))

    assert result == at(expected)
    assert result.utcoffset() == at(expected).utcoffset()


def test_cron_runs_in_the_moments_zone_over_a_clock_change() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    before = datetime(2026, 3, 28, 3, tzinfo=berlin)

    following = parse("cron 0 3 * * *").next_after(before)

    assert following == datetime(2026, 3, 29, 3, tzinfo=berlin)
    assert following.astimezone(UTC) - before.astimezone(UTC) == timedelta(hours=23)


@pytest.mark.parametrize(
    ("schedule", "moment", "expected"),
    [
        ("every 1d", "2026-10-25T00:30:00+02:00", "2026-10-26T00:00:00+01:00"),
        ("every 6h", "2026-03-29T00:30:00+01:00", "2026-03-29T06:00:00+02:00"),
        ("every 6h", "2026-10-25T00:30:00+02:00", "2026-10-25T06:00:00+01:00"),
        ("every 30m", "2026-10-25T02:40:00+02:00", "2026-10-25T02:00:00+01:00"),
        ("every 1h", "2026-03-29T01:10:00+01:00", "2026-03-29T03:00:00+02:00"),
        ("cron 30 2 * * *", "2026-10-24T12:00:00+02:00", "2026-10-25T02:30:00+02:00"),
    ],
)
def test_intervals_keep_to_the_clock_when_it_is_changed(
    schedule: str, moment: str, expected: str
) -> None:
    berlin = ZoneInfo("Europe/Berlin")

    result = parse(schedule).next_after(at(moment).astimezone(berlin))

    assert result.isoformat() == expected


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "Asia/Shanghai", "Asia/Kolkata", "Australia/Lord_Howe"]
)
@pytest.mark.parametrize(
    ("schedule", "hours"), [("every 1h", 1), ("every 6h", 6), ("every 1d", 24)]
)
def test_every_run_of_a_year_is_at_an_even_hour(zone: str, schedule: str, hours: int) -> None:
    parsed = parse(schedule)
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    runs = 0
    while moment.year == 2026:
        following = parsed.next_after(moment.astimezone(ZoneInfo(zone)))
        assert (following.hour % hours, following.minute) == (0, 0)
        assert moment < following.astimezone(UTC) <= moment + timedelta(hours=hours + 1)
        moment = following.astimezone(UTC)
        runs += 1
    assert runs in range(365 * 24 // hours - 1, 365 * 24 // hours + 3)


GENERAL = 'write "realtime", "every 30m" or "cron 0 * * * *"'
INTERVAL = 'write for example "every 30s", "every 30m", "every 1h" or "every 1d"'
CRON = 'write for example "cron 0 * * * *" (hourly) or "cron 30 2 * * MON-FRI"'


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("hourly", "cannot read the schedule 'hourly'", GENERAL),
        ("realtime please", "cannot read the schedule 'realtime please'", GENERAL),
        ("30m", "cannot read the schedule '30m'", GENERAL),
        (
            "every 1.5h",
            "cannot read the interval '1.5h': a whole number and a unit (s, m, h, d)",
            INTERVAL,
        ),
        (
            "every",
            "cannot read the interval '': a whole number and a unit (s, m, h, d)",
            INTERVAL,
        ),
        ("every 0m", "the interval '0m' must be between 1s and 366d", ""),
        ("every 999999999d", "the interval '999999999d' must be between 1s and 366d", ""),
        ("cron 0 *", "cannot read the cron expression '0 *': wrong number of fields", CRON),
        ("cron 0 24 * * *", "cannot read the cron expression '0 24 * * *': bad hour", CRON),
        ("cron 0 0 30 2 *", "cannot read the cron expression '0 0 30 2 *': bad day-of-month", CRON),
        (
            "cron 0 0 */30 2 MON#5",
            "the cron expression '0 0 */30 2 MON#5' never comes true",
            CRON,
        ),
    ],
)
def test_bad_schedule(text: str, message: str, hint: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        parse(text)

    assert (caught.value.message, caught.value.hint) == (message, hint)
