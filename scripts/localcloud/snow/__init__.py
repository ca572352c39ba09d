"""A local Snowflake: the REST API of Snowpipe Streaming (high-performance architecture) and SQL, over real TLS.

It is strict where the service is strict (key pairs, scoped tokens, sequencers, column types), commits asynchronously,
and breaks on request. Rows come inline or as files on a stage, as the SDK decides. They land in DuckDB, where `sql`
reads them. Source of the protocol:
https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-rest-api
"""
