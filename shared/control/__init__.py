"""The control store: who owns a partition, and how far it has come. One contract, one test suite, many databases."""
