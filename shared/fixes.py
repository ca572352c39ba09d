"""What to change where several errors have the same cause."""

import re

MORE_MEMORY = (
    "Nothing is lost. Give it more memory (MemoryMax=, the container's limit), or lower EVENTHUB_PREFETCH,"
    " EVSUP_MAX_PARTITIONS and SNOWFLAKE_MAX_INFLIGHT_BYTES."
)
REACH_SNOWFLAKE = "Check SNOWFLAKE_ACCOUNT or SNOWFLAKE_URL, and the network between."
_TRUST_SNOWFLAKE = "Set SNOWFLAKE_CA_FILE to the CA that signed it (a private link, an inspecting proxy)."
_SET_CLOCK = "Set the clock of this host (`timedatectl` shows whether it is right), or have the certificate renewed."
OUT_OF_DATE = "certificate is not yet valid|certificate has expired"
"""What OpenSSL says of a certificate whose time is not the host's: a pattern."""


def trust(why: str, fix: str = _TRUST_SNOWFLAKE) -> str:
    """What helps where a certificate is refused; `why` is what OpenSSL says of it. Not `fix` where it is its time."""
    return _SET_CLOCK if re.search(OUT_OF_DATE, why) else fix
