-- What the two sources look like. In the web shop's database:
CREATE TABLE users (
    user_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    account_name VARCHAR(60),
    contact_email VARCHAR(190),
    password_hash VARBINARY(60),
    created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
) DEFAULT CHARACTER SET utf8mb4;

-- In the app's:
CREATE TABLE app_users (
    mobile_user_id VARCHAR(40) NOT NULL PRIMARY KEY,
    nickname VARCHAR(60) CHARACTER SET latin1,
    registered_email VARCHAR(190) NOT NULL,
    registered_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
) DEFAULT CHARACTER SET utf8mb4;
