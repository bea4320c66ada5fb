"""Writes each order to a report table, with its customer's name looked up in the source."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, text

from replicator.handlers import Change, Context

NAMES = text("SELECT id, name FROM customer WHERE id IN :ids").bindparams(
    bindparam("ids", expanding=True)
)
EMPTY = text("DELETE FROM order_report")
DELETE = text("DELETE FROM order_report WHERE order_id = :order_id")
INSERT = text(
    "INSERT INTO order_report (order_id, customer, total) VALUES (:order_id, :customer, :total)"
)


class OrderReport:
    """One row of `order_report` for each row of `orders`."""

    def open(self, context: Context) -> None:
        """Keep the context: it has the two connections."""
        self.context = context

    def deliver(self, changes: Sequence[Change]) -> None:
        """Write the last state of each order; it commits together with the delivery's progress."""
        report = self.context.transaction
        last: dict[int, Change] = {}
        for change in changes:
            order = change.after
            if change.op == "T":  # TRUNCATE
                report.execute(EMPTY)
                last.clear()
            elif order is not None and "" in order:  # columns could not be captured
                self.context.park(change, order[""])
            elif order is not None and order["total"] is None:
                self.context.park(change, "an order without total is not reported")
            else:
                last[change.row["id"]] = change
        if not last:
            return
        report.execute(DELETE, [{"order_id": order} for order in last])
        orders = [change.after for change in last.values() if change.after is not None]
        names = self.customer_names({order["customer_id"] for order in orders})
        rows = [
            {
                "order_id": order["id"],
                "customer": names.get(order["customer_id"], "(unknown)"),
                "total": str(order["total"]),
            }
            for order in orders
        ]
        if rows:
            report.execute(INSERT, rows)

    def customer_names(self, ids: set[int]) -> dict[int, str]:
        """Ask the source: one query for all the changes at hand."""
        found = self.context.source.execute(NAMES, {"ids": list(ids)})
        return {row.id: row.name for row in found}

    def close(self) -> None:
        """The replicator closes the connections."""
