"""Other programs that move the same events, each a process that measures itself and prints a Run as JSON."""
