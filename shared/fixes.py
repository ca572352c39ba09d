"""What to change where several errors have the same cause."""

REACH_SNOWFLAKE = "Check SNOWFLAKE_ACCOUNT or SNOWFLAKE_URL, and the network between."
TRUST_SNOWFLAKE = "Set SNOWFLAKE_CA_FILE to the CA that signed it (a private link, an inspecting proxy)."
