"""Row locks: the keys that a statement writes, who holds them, and who waits."""
