"""Addresses of links: the hub, and with it a consumer group or a partition."""

from dataclasses import dataclass
from urllib.parse import urlsplit

CBS = "$cbs"
MANAGEMENT = "$management"


@dataclass(frozen=True, slots=True)
class Address:
    """A link's address, in the spelling of the client; `host` is empty where the client named none."""

    host: str
    hub: str
    group: str | None = None
    partition: str | None = None

    @property
    def group_uri(self) -> str:
        """The consumer group as the service names it in an error."""
        return f"{self.hub_uri}/ConsumerGroups/{self.group}"

    @property
    def hub_uri(self) -> str:
        """The hub as the service names it in an error."""
        return f"sb://{self.host}/{self.hub}"

    @property
    def path(self) -> str:
        """The path that a token must cover, in lower case."""
        group = "" if self.group is None else f"/consumergroups/{self.group}"
        partition = "" if self.partition is None else f"/partitions/{self.partition}"
        return f"/{self.hub}{group}{partition}".lower()


def parse(address: str) -> Address:
    """Read `amqps://host/HUB[/ConsumerGroups/G][/Partitions/P]`, with or without the host."""
    split = urlsplit(address) if "://" in address else None
    path = address if split is None else split.path
    hub, *rest = path.strip("/").split("/")
    named = {key.lower(): value for key, value in zip(rest[::2], rest[1::2], strict=False)}
    host = "" if split is None else split.netloc
    return Address(host, hub, named.get("consumergroups"), named.get("partitions"))
