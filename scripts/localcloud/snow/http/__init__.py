"""HTTP and what every call has in common: requests, answers, refusals, faults, compression."""
