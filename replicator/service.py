"""Running a configuration: every source and delivery in threads of their own, until stopped."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import tenacity
from sqlalchemy.exc import DBAPIError

from replicator import config
from replicator.compose import (
    OpenSource,
    build_delivery,
    delivery_names,
    open_source,
    sources_in_use,
    table_specs,
)
from replicator.errors import ReplicatorError, describe
from replicator.pipeline.contract import DeliveryName
from replicator.pipeline.delivery import Delivery
from replicator.pipeline.source import keep_house
from triggers.capture import State
from triggers.errors import CaptureError

log = logging.getLogger(__name__)

LOOK_AT_FILE = 1.0
"""Seconds between looks at the configuration file."""

STOP_SECONDS = 6.0
"""How long stopping waits for rounds that are under way."""

RETRY_WAIT = tenacity.wait_random_exponential(multiplier=0.5, max=15)


@dataclass(frozen=True, slots=True)
class Result:
    """How a delivery ended in `run_once`; `error` is None when it has everything."""

    name: DeliveryName
    error: BaseException | None


def run_once(settings: config.Config, stop: threading.Event) -> list[Result]:
    """Seal what is visible now and deliver it; return how each delivery ended.

    Raises SQLAlchemy's errors or `SourceUnavailable` when a source cannot be reached,
    `CaptureError` when its triggers are not installed.
    """
    results = []
    for name in sources_in_use(settings):
        source = open_source(name, settings.sources[name])
        try:
            results += run_source_once(settings, source, stop)
        finally:
            source.close()
    return results


def run_source_once(
    settings: config.Config, source: OpenSource, stop: threading.Event
) -> list[Result]:
    """Do what `run_once` does, for one source."""
    require_capture(settings, source)
    sealer = source.sealer()
    try:
        while not stop.is_set() and sealer.seal().rows:
            pass
        until = sealer.seal().last_batch
    finally:
        sealer.close()
    deliveries = [
        build_delivery(settings, source, delivery, stop, until)
        for delivery in delivery_names(settings, source.name)
    ]
    done = threading.Event()
    threads = [_start(delivery.run, str(delivery.name)) for delivery in deliveries]
    house = _start_house(source, deliveries, done)
    for thread in threads:
        thread.join()
    done.set()
    house.join()
    return [Result(delivery.name, delivery.error) for delivery in deliveries]


@contextmanager
def delivering(
    settings: config.Config, source: OpenSource, names: Sequence[DeliveryName]
) -> Iterator[list[Delivery]]:
    """Seal, and deliver some deliveries of a source, until the block ends."""
    stop = threading.Event()
    deliveries = [build_delivery(settings, source, name, stop) for name in names]
    threads = [_start(delivery.run, str(delivery.name)) for delivery in deliveries]
    threads.append(_start(source.seal_loop(stop).run, f"seal {source.name}"))
    threads.append(_start_house(source, deliveries, stop))
    try:
        yield deliveries
    finally:
        stop.set()
        _join(threads)


def run(path: Path, settings: config.Config, stop: threading.Event) -> None:
    """Deliver until `stop` is set; an edited configuration file is applied when it is valid.

    A source that cannot be reached is waited for. One that is reached at the start, and has no
    triggers, is an error: `stop` is set, and `CaptureError` raised. Triggers that are missing
    later are waited for.
    """
    refused: list[CaptureError] = []

    def refuse(error: CaptureError) -> None:
        refused.append(error)
        stop.set()

    at_start: Callable[[CaptureError], None] | None = refuse
    while not stop.is_set():
        changed = threading.Event()
        threads = [
            _start(_run_source, f"source {name}", settings, name, changed, at_start)
            for name in sources_in_use(settings)
        ]
        settings = _wait_for_change(path, settings, stop)
        changed.set()
        _join(threads)
        at_start = None
    if refused:
        raise refused[0]


def require_capture(settings: config.Config, source: OpenSource) -> None:
    """Raise `CaptureError` unless every table of the source's routes is captured."""
    specs = table_specs(settings, source.name)
    statuses = source.capture.status(specs)
    lacking = [s for s in statuses if s.state in (State.MISSING, State.REFUSED)]
    if lacking:
        names = ", ".join(status.table for status in lacking)
        raise CaptureError(
            f"source {source.name}: not captured: {names}",
            "run: replicator triggers install (replicator triggers status tells why)",
        )
    for status in statuses:
        if status.state is State.DRIFTED:
            log.warning(
                "source %s: table %s: %s; run: replicator triggers install",
                source.name,
                status.table,
                "; ".join(status.reasons),
            )


def _run_source(
    settings: config.Config,
    name: str,
    stop: threading.Event,
    refuse: Callable[[CaptureError], None] | None,
) -> None:
    def is_worth_waiting(state: tenacity.RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome is not None else None
        if isinstance(error, CaptureError) and refuse is not None and state.attempt_number == 1:
            return False
        return isinstance(error, DBAPIError | CaptureError | ReplicatorError)

    retrying = tenacity.Retrying(
        retry=is_worth_waiting,
        wait=RETRY_WAIT,
        stop=tenacity.stop_when_event_set(stop),
        sleep=tenacity.sleep_using_event(stop),
        before_sleep=lambda state: _tell_waiting(name, state),
        reraise=True,
    )

    def reach() -> OpenSource:
        source = open_source(name, settings.sources[name])
        try:
            require_capture(settings, source)
        except BaseException:
            source.close()
            raise
        return source

    try:
        source = retrying(reach)
    except (DBAPIError, CaptureError, ReplicatorError) as error:
        if not stop.is_set() and refuse is not None and isinstance(error, CaptureError):
            refuse(error)
        return  # told to stop while waiting
    try:
        deliveries = [
            build_delivery(settings, source, delivery, stop)
            for delivery in delivery_names(settings, name)
        ]
        threads = [_start(delivery.run, str(delivery.name)) for delivery in deliveries]
        threads.append(_start(source.seal_loop(stop).run, f"seal {name}"))
        threads.append(_start_house(source, deliveries, stop))
        stop.wait()
        _join(threads)
    finally:
        source.close()


def _start_house(
    source: OpenSource, deliveries: list[Delivery], stop: threading.Event
) -> threading.Thread:
    ticks: list[Callable[[], object]] = [delivery.keep_lease for delivery in deliveries]
    ticks.append(source.watch.look)
    outbox = source.capture.outbox
    return _start(
        keep_house, f"house {source.name}", source.name, source.engine, outbox, ticks, stop
    )


def _tell_waiting(name: str, state: tenacity.RetryCallState) -> None:
    assert state.outcome is not None
    error = state.outcome.exception()
    assert error is not None
    if state.attempt_number == 1 or isinstance(error, CaptureError):
        log.warning("source %s: %s (waiting)", name, describe(error))


def _wait_for_change(path: Path, settings: config.Config, stop: threading.Event) -> config.Config:
    """Return the file's new configuration once it has a valid other one, or when stopping."""
    seen = _stamp(path)
    while not stop.wait(LOOK_AT_FILE):
        stamp = _stamp(path)
        if stamp in (seen, None):
            continue
        seen = stamp
        try:
            edited = config.load(path)
        except config.ConfigError as error:
            log.error("the edited configuration is not used:\n%s", error)
            continue
        if edited != settings:
            log.info("the configuration has changed: starting again with it")
            return edited
    return settings


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None  # in the middle of being replaced
    return status.st_mtime_ns, status.st_size


def _join(threads: list[threading.Thread]) -> None:
    """Wait for threads that were told to stop.

    One that hangs in the network is left behind: whatever moment it ends at, nothing is lost.
    """
    deadline = time.monotonic() + STOP_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
        if thread.is_alive():
            log.warning("%s does not answer and is left behind; nothing is lost", thread.name)


def _start(action: Callable[..., None], name: str, *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=action, args=arguments, name=name, daemon=True)
    thread.start()
    return thread
