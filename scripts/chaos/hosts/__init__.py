"""Many hosts on one machine: network namespaces, the links between them, and what breaks there."""
