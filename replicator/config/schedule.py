"""When a route delivers: all the time, at even intervals, or by a cron expression."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cronsim import CronSim, CronSimError

from replicator.config.errors import InvalidValue

_EXAMPLES = 'write "realtime", "every 30m" or "cron 0 * * * *"'
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_SECONDS = 366 * 86400


@dataclass(frozen=True, slots=True)
class Realtime:
    """Deliver whenever there is something."""

    def next_after(self, moment: datetime) -> datetime:
        """Return `moment` itself: it is always time."""
        return moment

    def __str__(self) -> str:
        return "realtime"


@dataclass(frozen=True, slots=True)
class Every:
    """Deliver at the multiples of an interval since 1970-01-01 00:00, as the zone's clocks show.

    So "every 6h" is due at 0, 6, 12 and 18 o'clock, and "every 1d" at midnight; over a clock change
    one interval is shorter or longer.
    """

    seconds: int

    def next_after(self, moment: datetime) -> datetime:
        """Return the first multiple after `moment` (with time zone), in its time zone."""
        interval = timedelta(seconds=self.seconds)
        now = moment.astimezone(UTC)
        found = []
        for offset in {moment.utcoffset(), (now + interval).astimezone(moment.tzinfo).utcoffset()}:
            start = _EPOCH - (offset or timedelta())
            passed = (now - start) // interval
            # The first multiple by this offset may come when the clocks have another one.
            for multiple in (start + (passed + number) * interval for number in (1, 2)):
                if multiple.astimezone(moment.tzinfo).utcoffset() == offset:
                    found.append(multiple)
                    break
        return min(found, default=now + interval).astimezone(moment.tzinfo)

    def __str__(self) -> str:
        for unit, seconds in reversed(_UNIT_SECONDS.items()):
            if self.seconds % seconds == 0:
                return f"every {self.seconds // seconds}{unit}"
        return f"every {self.seconds}s"


@dataclass(frozen=True, slots=True)
class Cron:
    """Deliver when a cron expression says so, read in the time zone of the moment given."""

    expression: str

    def next_after(self, moment: datetime) -> datetime:
        """Return the first time after `moment` (with time zone) that the expression matches."""
        return next(CronSim(self.expression, moment))

    def __str__(self) -> str:
        return f"cron {self.expression}"


Schedule = Realtime | Every | Cron


def parse(text: str) -> Schedule:
    """Read a schedule as the configuration writes it. Raises `InvalidValue` with examples."""
    kind, _, rest = text.strip().partition(" ")
    rest = rest.strip()
    match kind:
        case "realtime" if not rest:
            return Realtime()
        case "every":
            return _parse_every(rest)
        case "cron":
            return _parse_cron(rest)
    raise InvalidValue(f"cannot read the schedule {text!r}", _EXAMPLES)


def _parse_every(text: str) -> Every:
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    if match is None:
        raise InvalidValue(
            f"cannot read the interval {text!r}: a whole number and a unit (s, m, h, d)",
            'write for example "every 30s", "every 30m", "every 1h" or "every 1d"',
        )
    seconds = int(match[1]) * _UNIT_SECONDS[match[2]]
    if not 1 <= seconds <= _LONGEST_SECONDS:
        raise InvalidValue(f"the interval {text!r} must be between 1s and 366d")
    return Every(seconds)


def _parse_cron(expression: str) -> Cron:
    examples = 'write for example "cron 0 * * * *" (hourly) or "cron 30 2 * * MON-FRI"'
    schedule = Cron(expression)
    try:
        schedule.next_after(_EPOCH)
    except CronSimError as error:
        reason = str(error)[:1].lower() + str(error)[1:]
        raise InvalidValue(
            f"cannot read the cron expression {expression!r}: {reason}", examples
        ) from None
    except StopIteration:
        raise InvalidValue(
            f"the cron expression {expression!r} never comes true", examples
        ) from None
    return schedule
