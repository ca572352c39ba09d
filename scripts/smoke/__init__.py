"""The smoke test: marker events go in, evsup moves them, a query finds each once."""
