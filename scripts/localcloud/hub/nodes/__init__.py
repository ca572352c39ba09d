"""What a link leads to: the events of a partition, the intake of publishers, the nodes that answer requests."""
