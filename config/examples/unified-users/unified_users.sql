-- The target's table. It may have rows of its own: only those with a source's key are touched.
CREATE TABLE unified_users (
    row_key CHAR(32) NOT NULL PRIMARY KEY,
    origin VARCHAR(10) NOT NULL,
    display_name VARCHAR(100),
    email VARCHAR(190) NOT NULL,
    registered_at DATETIME
) DEFAULT CHARACTER SET utf8mb4;
