"""What to change where several errors have the same cause."""

MORE_MEMORY = (
    "Nothing is lost. Give it more memory (MemoryMax=, the container's limit), or lower EVENTHUB_PREFETCH,"
    " EVSUP_MAX_PARTITIONS and SNOWFLAKE_MAX_INFLIGHT_BYTES."
)
REACH_SNOWFLAKE = "Check SNOWFLAKE_ACCOUNT or SNOWFLAKE_URL, and the network between."
TRUST_SNOWFLAKE = "Set SNOWFLAKE_CA_FILE to the CA that signed it (a private link, an inspecting proxy)."
