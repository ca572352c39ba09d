"""One evsup process and one count of the table, for the demo, the benchmarks, chaos, the smoke test and the tests."""
