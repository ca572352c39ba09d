"""The control store: who owns each partition, and how far it is. One contract and one test suite for all databases."""
