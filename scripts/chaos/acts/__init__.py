"""The parts of a run: what an act is, and the storm of faults."""
