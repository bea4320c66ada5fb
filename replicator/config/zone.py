"""Time zones by name, and the machine's own."""

from __future__ import annotations

import os
from datetime import datetime, tzinfo
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from replicator.config.errors import InvalidValue, did_you_mean

_LOCAL_FILE = Path("/etc/localtime")


def parse_time_zone(name: str) -> tzinfo:
    """Return the time zone of a name such as `Asia/Shanghai`. Raises `InvalidValue`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = did_you_mean(name, available_timezones()) or "for example Asia/Shanghai, UTC"
        raise InvalidValue(f"unknown time zone {name!r}", hint) from None


@cache
def local_time_zone() -> tzinfo:
    """Return the machine's time zone with its clock changes: TZ's, else /etc/localtime's.

    Where neither tells, the present offset from UTC.
    """
    try:
        name = os.environ.get("TZ", "").removeprefix(":")
        if name:
            return ZoneInfo(name)
        with _LOCAL_FILE.open("rb") as file:
            return ZoneInfo.from_file(file, key="local")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zone = datetime.now().astimezone().tzinfo
        assert zone is not None
        return zone
