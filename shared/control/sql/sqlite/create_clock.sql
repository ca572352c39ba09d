-- What the host's clock said when the host was booted, for the boot in which the file was last written.
CREATE TABLE IF NOT EXISTS evsup_clock (
    name TEXT NOT NULL PRIMARY KEY,
    boot_id TEXT NOT NULL,
    booted_at REAL NOT NULL
)
