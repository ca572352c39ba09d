-- Heartbeats keep their age when the clock was set. What is no time stays as it is, to be refused by whoever reads it.
UPDATE evsup_supervisor SET last_seen = last_seen + :step_s WHERE typeof(last_seen) IN ('integer', 'real')
