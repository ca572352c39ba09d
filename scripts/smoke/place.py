"""Where the smoke test runs: against the cloud that the settings name, or against services on this machine."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from azure.eventhub import EventHubProducerClient

from scripts.harness.failure import NotAsPromised
from scripts.localcloud.cloud import CloudSettings, LocalCloud
from scripts.smoke.markers import Markers, Query
from shared.config.environment import environment_for_worker, load, load_one, load_worker
from shared.config.settings import EventHubSettings, Settings
from shared.eventhubs.client import EventHubClient, sdk_options
from shared.eventhubs.identity import Identity
from shared.snowflake.session import SqlSession

LOCAL = CloudSettings(partitions=2, commit_delay_s=0.5)
BRISK = {"EVENTHUB_LOAD_BALANCING_INTERVAL": "1", "EVENTHUB_OWNERSHIP_EXPIRATION": "10"}
# Only the markers are read, not what the hub holds already. A group that has checkpoints goes on after them.
FRESH = {"EVENTHUB_STARTING_POSITION": "@latest"}


@dataclass(frozen=True)
class Place:
    """Services and the settings for them."""

    name: str
    settings: Settings
    environment: Mapping[str, str] = field(repr=False)
    partition_ids: tuple[str, ...]
    producer: EventHubProducerClient
    query: Query

    def markers(self) -> Markers:
        """Markers that nobody has sent before."""
        target = self.settings.snowflake
        return Markers(self.producer, self.query, f"{target.database}.{target.schema}.{target.table}")


@contextmanager
def here() -> Iterator[Place]:
    """Services on this machine, which end with it."""
    with LocalCloud(LOCAL) as cloud:
        settings = load_worker(cloud.environment)
        with _place("local services", settings, cloud.environment | BRISK) as place:
            yield place


@contextmanager
def in_cloud(env_file: Path | None) -> Iterator[Place]:
    """The services that the environment and `.env` name, as `evsup start` reads them."""
    loaded = load(env_file)
    environment = FRESH | environment_for_worker(loaded) | {"EVSUP_LOG_FORMAT": "json"}
    with _place("the cloud", loaded.settings, environment) as place:
        yield place


def is_configured(env_file: Path | None) -> bool:
    """Whether the settings name an event hub and a Snowflake account."""
    source = ("EVENTHUB_CONNECTION_STRING", "EVENTHUB_NAMESPACE")
    has_source = any(load_one(name, env_file) for name in source)
    return has_source and load_one("SNOWFLAKE_ACCOUNT", env_file) is not None


@contextmanager
def _place(name: str, settings: Settings, environment: Mapping[str, str]) -> Iterator[Place]:
    with EventHubClient(settings.eventhub) as hub:
        facts = hub.hub()
    if len(facts.partition_ids) < 2:
        raise NotAsPromised("Two consumers need an event hub of two partitions or more")
    with _producer(settings.eventhub) as producer, closing(SqlSession(settings.snowflake)) as session:
        yield Place(name, settings, environment, facts.partition_ids, producer, session.query)


def _producer(settings: EventHubSettings) -> EventHubProducerClient:
    options: dict[str, Any] = sdk_options(settings)
    if settings.connection_string:
        text = settings.connection_string.reveal()
        return EventHubProducerClient.from_connection_string(text, eventhub_name=settings.name, **options)
    assert settings.namespace
    assert settings.name
    return EventHubProducerClient(
        settings.namespace,
        settings.name,
        credential=Identity(settings),
        **options,
    )
