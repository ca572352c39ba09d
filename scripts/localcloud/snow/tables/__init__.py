"""Tables: their definitions, their columns, and the rows, in DuckDB."""
