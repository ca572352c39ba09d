-- Leases keep their age when the clock was set. What is no time stays as it is, to be refused by whoever reads it.
UPDATE evsup_ownership SET last_modified_time = last_modified_time + :step_s WHERE typeof(last_modified_time) IN ('integer', 'real')
