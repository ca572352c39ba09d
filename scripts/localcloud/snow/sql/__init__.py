"""Snowflake's SQL for the official connector, over the rows that streaming commits.

The dialect is fakesnow's work (Snowflake's SQL on DuckDB); what it lacks is here: logins with a key pair, enforced keys
for Hybrid Tables alone, row locks, transactions, privileges, and errors that arrive as errors of a query.
"""
