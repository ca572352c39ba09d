-- Fails when a table or a column is missing, or may not be read.
SELECT
    evsup_checkpoint.channel_generation, evsup_checkpoint.opened_generation, evsup_checkpoint.begins_after,
    evsup_checkpoint.enqueued_at, evsup_checkpoint.unsettled_from, evsup_checkpoint.repeats_up_to,
    evsup_checkpoint.last_enqueued, evsup_checkpoint.lag_events, evsup_checkpoint.checked_up_to, evsup_checkpoint.target_columns,
    evsup_ownership.expiration_s, evsup_supervisor.expiration_s
FROM evsup_ownership, evsup_checkpoint, evsup_supervisor, evsup_audit
WHERE FALSE
