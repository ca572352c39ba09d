-- Remember the Unix time of this boot.
INSERT INTO evsup_clock (name, boot_id, booted_at) VALUES ('host', :boot_id, :booted_at)
ON CONFLICT (name) DO UPDATE SET boot_id = excluded.boot_id, booted_at = excluded.booted_at
