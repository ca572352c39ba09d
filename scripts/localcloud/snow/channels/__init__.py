"""Channels: who may append, what is accepted, and when it is committed and counted."""
