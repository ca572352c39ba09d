"""Azure's client for JavaScript against the local Event Hubs."""
