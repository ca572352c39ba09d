-- Fails when a table or a column is missing, or may not be read.
SELECT
    EXISTS (SELECT 1 FROM evsup_ownership WHERE expiration_s IS NULL) AS any_ownership,
    EXISTS (
        SELECT 1 FROM evsup_checkpoint
        WHERE channel_generation >= opened_generation OR begins_after >= 0 OR enqueued_at IS NULL
            OR unsettled_from >= 0 OR repeats_up_to >= 0 OR last_enqueued >= 0 OR lag_events >= 0
            OR checked_up_to >= 0 OR target_columns IS NULL
    ) AS any_checkpoint,
    EXISTS (SELECT 1 FROM evsup_supervisor WHERE expiration_s IS NULL) AS any_supervisor,
    EXISTS (SELECT 1 FROM evsup_audit) AS any_audit
