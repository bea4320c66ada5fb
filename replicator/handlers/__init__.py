"""Handler programs: delivering changes in another way than the target's own.

What a Python handler imports: `Change` and `Context` for its annotations, `DeliveryStopped` to say
that trying again is of no use, `TargetUnavailable` that it may help: their texts are shown, those
of other exceptions are not.
"""

from replicator.change import Change
from replicator.errors import DeliveryStopped, TargetUnavailable
from replicator.handlers.contract import Context, Handler
from replicator.handlers.program import ExecProgram, Program, PythonProgram

__all__ = [
    "Change",
    "Context",
    "DeliveryStopped",
    "ExecProgram",
    "Handler",
    "Program",
    "PythonProgram",
    "TargetUnavailable",
]
