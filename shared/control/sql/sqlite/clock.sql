-- The Unix time of this boot, if the file was written since.
SELECT booted_at FROM evsup_clock WHERE boot_id = :boot_id
