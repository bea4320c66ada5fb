"""Windows of time, aligned to the clock of a time zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

from replicator.pipeline.contract import Window

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DAY = 86400
_LONGEST_DAYS = 31


@dataclass(frozen=True, slots=True)
class TimeWindows:
    """Windows of one length, which begin at even times of the day in a time zone.

    Where clocks change, a window still ends when the clock shows the next even time, or jumps over
    it: days have 23 or 25 hours, and the hour that comes twice is one window of two hours. So no
    two windows begin at the same time of the clock.
    """

    seconds: int
    zone: tzinfo = UTC

    def containing(self, moment: datetime) -> Window:
        """Return the window that holds this moment (with time zone)."""
        start = self._floor(moment.astimezone(self.zone).replace(tzinfo=None))
        while self._instant(start) > moment:
            start -= timedelta(seconds=self.seconds)
        while (end := self._instant(start + timedelta(seconds=self.seconds))) <= moment:
            start += timedelta(seconds=self.seconds)
        return Window(self._instant(start), end)

    def local(self, window: Window) -> Window:
        """Return a window in the time zone."""
        return Window(window.start.astimezone(self.zone), window.end.astimezone(self.zone))

    def _floor(self, clock: datetime) -> datetime:
        midnight = datetime.combine(clock.date(), time())
        if self.seconds >= _DAY:
            return midnight - timedelta(days=clock.toordinal() % (self.seconds // _DAY))
        return midnight + (clock - midnight) // timedelta(seconds=self.seconds) * timedelta(
            seconds=self.seconds
        )

    def _instant(self, clock: datetime) -> datetime:
        """Return when the clock shows this time first, or the next one that it does not skip."""
        while True:
            instant = clock.replace(tzinfo=self.zone).astimezone(UTC)
            if instant.astimezone(self.zone).replace(tzinfo=None) == clock:
                return instant
            clock += timedelta(seconds=self.seconds)


def parse_window(text: str) -> int:
    """Return the seconds of a length such as `30m`, `1h` or `1d`; `ValueError` with the reason."""
    match = re.fullmatch(r"([1-9][0-9]{0,6})([smhd])", text)
    if match is None:
        raise ValueError(f'cannot read the window {text!r}: write for example "30m", "1h" or "1d"')
    seconds = int(match[1]) * _UNITS[match[2]]
    if _DAY % seconds and (seconds % _DAY or seconds > _LONGEST_DAYS * _DAY):
        raise ValueError(
            f"the window {text!r} does not divide a day, nor is it of whole days, {_LONGEST_DAYS} "
            "at most"
        )
    return seconds
