CREATE TABLE pushgate_channels (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    epoch TEXT NOT NULL,
    last INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    forgotten INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE pushgate_messages (
    channel INTEGER NOT NULL REFERENCES pushgate_channels (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    accepted INTEGER NOT NULL,
    sender TEXT NOT NULL,
    message TEXT NOT NULL,
    retry_key TEXT,
    retry_body BLOB,
    retry_datetime TEXT,
    retry_ip TEXT,
    PRIMARY KEY (channel, number)
) STRICT, WITHOUT ROWID;
