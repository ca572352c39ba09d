"""The names of a partition's channels."""

import hashlib
import re

from shared.model import ConsumerGroup


def channel_name(prefix: str, group: ConsumerGroup, partition_id: str) -> str:
    """Prefix, hub, consumer group, a digest and the partition, in `[A-Z0-9_]`; stable over hosts, owners and restarts.

    Channel names are case-insensitive in some of Snowflake's calls and case-sensitive in others, so there is one
    spelling (https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-rest-api).
    The digest of them and the namespace keeps `a-b` and `a_b` apart: two hubs in one channel would write over each
    other's token.
    """
    exact = f"{prefix}/{group.fully_qualified_namespace}/{group.eventhub_name}/{group.consumer_group}"
    digest = hashlib.sha256(exact.casefold().encode()).hexdigest()[:8]
    parts = (prefix, group.eventhub_name, group.consumer_group, digest, partition_id)
    return "_".join(re.sub(r"[^A-Z0-9]+", "_", part.upper()).strip("_") for part in parts)


def of_generation(name: str, generation: int) -> str:
    """The name of a later channel of the same partition, begun when its checkpoint is moved or the former is lost."""
    return f"{name}_G{generation}" if generation else name
