"""`make demo`: real flights, the real SDKs, a `kill -9` half-way, and the proof that each event is there once."""
