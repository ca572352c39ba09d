"""Statements as text, their parameters, and their results on the wire."""
