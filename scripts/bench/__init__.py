"""How fast one worker is, against the raw SDK and against a design that waits for each commit."""
