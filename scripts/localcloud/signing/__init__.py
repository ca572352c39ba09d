"""Certificates and JSON Web Tokens, which several services need."""
