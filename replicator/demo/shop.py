"""The demo's shop: its database, and the people and programs that keep changing it."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

WRITERS = 4
ROLLED_BACK = 0.15
"""Share of the transactions that end in a rollback, as a real application's sometimes do."""

_PAUSE = 0.02  # seconds between a writer's transactions, on average
_PRODUCTS = [
    f"{color} {thing}"
    for thing in ("mug", "lamp", "chair", "kettle", "blanket", "clock", "teapot", "basket")
    for color in ("red", "green", "blue", "white", "black")
]
_NAMES = ("Ada", "Björn", "Chloé", "Dmitri", "Esra", "Fatima", "Grzegorz", "Hana", "李娜", "Jürgen")
_CITIES = ("Oslo", "Kraków", "São Paulo", "北京", "İzmir", None)
_NOTES = ("leave it with the neighbour", 'gift wrap, please: "happy birthday"', "a\nb", None, None)


def create(path: Path) -> None:
    """Create the shop's database, with its tables still empty."""
    script = files("replicator.demo").joinpath("shop.sql").read_text(encoding="utf-8")
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


class Shop:
    """Several writers at once, each in a thread with a connection of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self.done: Counter[str] = Counter()
        """Transactions so far, by outcome: committed, rolled back."""
        self.error: BaseException | None = None

    def open(self) -> None:
        """Fill the catalogue and let the writers begin."""
        with closing(self._connect()) as connection, connection:
            connection.executemany(
                "INSERT INTO products VALUES (?, ?, ?, ?)",
                [(f"P-{n:04d}", title, 500 + 95 * n, 10_000) for n, title in enumerate(_PRODUCTS)],
            )
            connection.executemany(
                "INSERT INTO customers (name, city, joined) VALUES (?, ?, ?)",
                [(name, None, _now()) for name in _NAMES],
            )
        self._threads = [
            threading.Thread(target=self._write, args=(number,), name=f"writer {number}")
            for number in range(WRITERS)
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Let the writers finish what they are doing. Raises what one of them failed with."""
        self._closing.set()
        for thread in self._threads:
            thread.join()
        if self.error is not None:
            raise self.error

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=30)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def _write(self, number: int) -> None:
        rng = random.Random(number)
        try:
            with closing(self._connect()) as connection:
                while not self._closing.is_set():
                    outcome = _transaction(connection, rng)
                    with self._lock:
                        self.done[outcome] += 1
                    time.sleep(rng.expovariate(1 / _PAUSE))
        except Exception as error:  # noqa: BLE001 - raised again by `close`
            self.error = error


def _transaction(connection: sqlite3.Connection, rng: random.Random) -> str:
    connection.isolation_level = None
    connection.execute("BEGIN IMMEDIATE")
    what = rng.choices((_order, _ship, _cancel, _sign_up, _move), (50, 25, 10, 10, 5))[0]
    what(connection, rng)
    if rng.random() < ROLLED_BACK:
        connection.execute("ROLLBACK")
        return "rolled back"
    connection.execute("COMMIT")
    return "committed"


def _order(connection: sqlite3.Connection, rng: random.Random) -> None:
    order = connection.execute(
        "INSERT INTO orders (customer, status, note, placed)"
        " SELECT id, 'placed', ?, ? FROM customers ORDER BY random() LIMIT 1",
        (rng.choice(_NOTES), _now()),
    ).lastrowid
    for line, product in enumerate(rng.sample(range(len(_PRODUCTS)), rng.randint(1, 4)), start=1):
        sku, quantity = f"P-{product:04d}", rng.randint(1, 3)
        connection.execute(
            "INSERT INTO order_lines VALUES (?, ?, ?, ?)", (order, line, sku, quantity)
        )
        connection.execute("UPDATE products SET stock = stock - ? WHERE sku = ?", (quantity, sku))


def _ship(connection: sqlite3.Connection, rng: random.Random) -> None:
    connection.execute(
        "UPDATE orders SET status = 'shipped' WHERE id IN"
        " (SELECT id FROM orders WHERE status = 'placed' ORDER BY id LIMIT ?)",
        (rng.randint(1, 3),),
    )


def _cancel(connection: sqlite3.Connection, _rng: random.Random) -> None:
    connection.execute(  # its lines go by ON DELETE CASCADE
        "DELETE FROM orders WHERE id IN (SELECT id FROM orders ORDER BY random() LIMIT 1)"
    )


def _sign_up(connection: sqlite3.Connection, rng: random.Random) -> None:
    connection.execute(
        "INSERT INTO customers (name, city, joined) VALUES (?, ?, ?)",
        (rng.choice(_NAMES), rng.choice(_CITIES), _now()),
    )


def _move(connection: sqlite3.Connection, rng: random.Random) -> None:
    connection.execute(
        "UPDATE customers SET city = ? WHERE id IN"
        " (SELECT id FROM customers ORDER BY random() LIMIT 1)",
        (rng.choice(_CITIES),),
    )


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
