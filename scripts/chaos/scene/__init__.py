"""What is struck: local services, supervisors on them, the publisher, and how long things may take."""
