"""Handlers that are Python classes."""

from __future__ import annotations

import importlib
import sys
from typing import cast

from replicator.errors import DeliveryStopped, describe
from replicator.handlers.contract import Handler
from replicator.handlers.program import PythonProgram

METHODS = ("open", "deliver", "close")


def load_class(program: PythonProgram) -> type[Handler]:
    """Import the class. Raises `DeliveryStopped` that tells what is missing.

    A module stays imported: when its code has changed, the replicator has to be started again.
    """
    folder = str(program.folder)
    if folder not in sys.path:
        sys.path.append(folder)
    importlib.invalidate_caches()
    try:
        module = importlib.import_module(program.module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{program.module}.".startswith(f"{error.name}."):
            raise DeliveryStopped(
                f"handler {program}: its module needs a module {error.name!r}, which is missing",
                "install it where the replicator is installed",
            ) from error
        raise DeliveryStopped(
            f"handler {program}: there is no module {program.module!r}",
            f"it is looked for in {folder} and among the installed packages",
        ) from error
    except Exception as error:
        raise DeliveryStopped(
            f"handler {program}: its module cannot be imported: {describe(error)}"
        ) from error
    found = getattr(module, program.name, None)
    if not isinstance(found, type):
        classes = sorted(name for name, value in vars(module).items() if isinstance(value, type))
        raise DeliveryStopped(
            f"handler {program}: its module has no class {program.name!r}",
            f"it has {', '.join(classes) or 'no class at all'}",
        )
    lacking = [name for name in METHODS if not callable(getattr(found, name, None))]
    if lacking:
        raise DeliveryStopped(
            f"handler {program}: the class has no method {', '.join(lacking)}",
            "a handler has open(context), deliver(changes) and close()",
        )
    return cast("type[Handler]", found)
