"""What a client opens before anything flows: connection, session, link."""
