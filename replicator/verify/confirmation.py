"""Telling what is wrong from what is merely under way.

What is sealed is delivered first; then a row is read in the source, and compared with the target's;
then everything is sealed once more. Where no change of the row is among what came in between, the
source's row was the same all the time, the target had every change of it, and a difference is one.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from replicator.change import Row, encode
from replicator.pace import Interrupted
from replicator.verify.finding import Finding, Kind
from replicator.verify.flight import Flight, NoProgress
from replicator.verify.pair import TablePair

ROUNDS = 25
"""How often a row is looked at that changes all the time, before it is given up."""

FIRST_WAIT = 0.05
LONGEST_WAIT = 2.0

KEYS_AT_ONCE = 500
"""Keys that are looked at together: the fewer, the sooner, and the less happens meanwhile."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What is left of findings."""

    findings: Sequence[Finding]
    why_undecided: str = ""
    is_stuck: bool = False
    """Whether the delivery does not go on, so that nothing can be decided for now."""


def confirm(
    pair: TablePair, candidates: Sequence[Finding], flight: Flight, stop: threading.Event
) -> Confirmed:
    """Find out which of these hold."""
    found = [finding for finding in candidates if finding.kind is Kind.UNDECIDED]
    waiting = {encode(f.key): f.key for f in candidates if f.kind is not Kind.UNDECIDED}
    wait = FIRST_WAIT
    why, is_stuck = "", False
    for _ in range(ROUNDS):
        if not waiting or is_stuck:
            break
        hot: dict[bytes, Row] = {}
        keys = list(waiting)
        for start in range(0, len(keys), _at_once(pair, keys)):
            some = {key: waiting[key] for key in keys[start : start + _at_once(pair, keys)]}
            try:
                still, changed = _look(pair, some, flight)
            except NoProgress as error:
                why, is_stuck = str(error), True
                hot |= {key: waiting[key] for key in keys[start:]}
                break
            found += still
            hot |= changed
        waiting = hot
        if waiting and not is_stuck and stop.wait(wait):
            raise Interrupted
        wait = min(2 * wait, LONGEST_WAIT)
    if waiting and not is_stuck:
        why = f"{len(waiting):,} rows changed each of the {ROUNDS} times that they were looked at"
    found += [Finding(pair.table.name, Kind.UNDECIDED, key) for key in waiting.values()]
    return Confirmed(found, why, is_stuck)


def _at_once(pair: TablePair, keys: Sequence[bytes]) -> int:
    """All where the table has to be looked through to find any."""
    computed = pair.result is not None and not pair.result.keeps_key
    return len(keys) if computed else KEYS_AT_ONCE


def _look(
    pair: TablePair, keys: Mapping[bytes, Row], flight: Flight
) -> tuple[list[Finding], dict[bytes, Row]]:
    """Return which of the keys are certainly wrong, and which have changed meanwhile."""
    begin = flight.seal()
    flight.wait_for(begin)
    differing = pair.look(keys)
    if not differing:
        return [], {}
    touched = flight.touched(pair.seen, begin, flight.seal())
    hot = {key: f.key for f in differing if (key := encode(f.key)) in touched}
    return [f for f in differing if encode(f.key) not in hot], hot
