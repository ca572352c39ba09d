"""The event hub itself: its partitions, their events, and the faults that are armed in it."""
