"""The invariants of docs/reliability.md, one module for each kind of evidence. It knows nothing of faults."""
