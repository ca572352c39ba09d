"""What strikes, one module for each thing that can fail, and the schedule that a seed makes of it."""
