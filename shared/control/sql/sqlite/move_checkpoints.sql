-- Checkpoints keep their age when the clock was set. What is no time stays as it is, to be refused by whoever reads it.
UPDATE evsup_checkpoint SET updated_at = updated_at + :step_s WHERE typeof(updated_at) IN ('integer', 'real')
