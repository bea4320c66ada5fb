"""What a handler raises, told without what it may hold."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from replicator.errors import DeliveryStopped, ReplicatorError, TargetUnavailable
from replicator.handlers.program import Program
from triggers.errors import CaptureError


class HandlerFailed(TargetUnavailable):
    """A handler raised an exception, which is the cause; trying again may help.

    Only its type and place are told: its text may hold row values.
    """


@contextmanager
def contained(program: Program) -> Iterator[None]:
    """Turn what a handler raises into `HandlerFailed`, and an exit into `DeliveryStopped`.

    The replicator's own errors stay as they are.
    """
    try:
        yield
    except (ReplicatorError, CaptureError):
        raise
    except SystemExit as error:
        raise DeliveryStopped(f"handler {program} calls sys.exit") from error
    except Exception as error:
        place = _place(error, program.folder)
        raise HandlerFailed(f"handler {program}: {type(error).__name__}{place}") from error


def _place(error: Exception, folder: Path) -> str:
    """The last line of the handler's own code that was running."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(folder)
    ]
    return f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
