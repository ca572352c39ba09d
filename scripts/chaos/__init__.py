"""Random faults over real trees, a quiet period, a drain, and the proof that every event is in the table once."""
