"""A local Snowpipe Streaming service: the REST API of the high-performance architecture over real TLS.

It is strict where the service is strict (key pairs, scoped tokens, sequencers, column types), commits asynchronously,
and breaks on request. Rows land in DuckDB, where they can be counted. Source of the protocol:
https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-rest-api
"""
