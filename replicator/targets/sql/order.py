"""In which order tables are written, by the foreign keys of the target."""

from __future__ import annotations

from collections.abc import Sequence

from replicator.targets.sql.dialect import Reference
from replicator.targets.sql.plan import TablePlan


def arrange(plans: Sequence[TablePlan], references: Sequence[Reference]) -> list[TablePlan]:
    """Sort parents first (in a cycle: in the order given) and note what foreign keys demand."""
    acting = {reference.parent for reference in references if reference.acts}
    for plan in plans:
        plan.cascades = plan.target.identity in acting
        plan.exchangeable = not plan.cascades and plan.covers_target
    parents: dict[str, list[str]] = {}
    for reference in references:
        parents.setdefault(reference.child, []).append(reference.parent)
    late = _late(plans, references, parents)
    for plan in plans:
        plan.deletes_last = plan.target.identity in late
    places = {identity: place for place, identity in enumerate(_walk(plans, parents))}
    return sorted(plans, key=lambda plan: places[plan.target.identity])


def _late(
    plans: Sequence[TablePlan], references: Sequence[Reference], parents: dict[str, list[str]]
) -> set[str]:
    """Tables whose rows are deleted after all is written.

    A row may be deleted because what referred to it now refers to another one: then the new
    reference has to be written first, or the deletion fails, or takes the referring row along. A
    row may also be deleted to make room in a unique index: then it has to go first, which is only
    chosen where a wrong guess fails loudly. Keys that may be equal while they differ go first too.
    """
    referred = {reference.parent for reference in references}
    found = [
        plan.target.identity
        for plan in plans
        if plan.target.identity in referred
        and not plan.key_folds
        and (plan.cascades or plan.target.unique_indexes == 1)
    ]
    late: set[str] = set()
    while found:  # what they refer to is deleted even later
        identity = found.pop()
        if identity not in late:
            late.add(identity)
            found += parents.get(identity, ())
    return late


def _walk(plans: Sequence[TablePlan], parents: dict[str, list[str]]) -> list[str]:
    """Depth first: every table after those it refers to, as far as cycles allow."""
    ordered: list[str] = []
    seen: set[str] = set()

    def visit(identity: str) -> None:
        if identity not in seen:
            seen.add(identity)
            for parent in parents.get(identity, ()):
                visit(parent)
            ordered.append(identity)

    for plan in plans:
        visit(plan.target.identity)
    return ordered
