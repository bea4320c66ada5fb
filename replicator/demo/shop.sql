-- The demo's shop. Money is in cents; texts are never empty, so that a CSV file, where NULL and an
-- empty text look alike to most programs, can be compared with them.
PRAGMA journal_mode = WAL;

CREATE TABLE customers (
    id       INTEGER PRIMARY KEY,
    name     VARCHAR(80) NOT NULL,
    city     VARCHAR(40),
    joined   TIMESTAMP NOT NULL
);

CREATE TABLE products (
    sku      VARCHAR(12) PRIMARY KEY,
    title    VARCHAR(80) NOT NULL,
    cents    INTEGER NOT NULL,
    stock    INTEGER NOT NULL
);

CREATE TABLE orders (
    id       INTEGER PRIMARY KEY,
    customer INTEGER NOT NULL REFERENCES customers (id),
    status   VARCHAR(12) NOT NULL,
    note     TEXT,
    placed   TIMESTAMP NOT NULL
);

CREATE TABLE order_lines (
    order_id INTEGER NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    line     INTEGER NOT NULL,
    sku      VARCHAR(12) NOT NULL REFERENCES products (sku),
    quantity INTEGER NOT NULL,
    PRIMARY KEY (order_id, line)
);
