"""Settings made directly, where no environment is under test."""

from typing import Any

import msgspec

from shared.config.settings import ControlSettings, EventHubSettings, ProcessSettings, Settings, SnowflakeSettings


def snowflake(**changes: Any) -> SnowflakeSettings:
    """A complete target, with `changes`."""
    target = SnowflakeSettings(
        account="myorg-myaccount", user="EVSUP", database="EVENTS", schema="PUBLIC", table="FLIGHTS"
    )
    return msgspec.structs.replace(target, **changes)


def eventhub(**changes: Any) -> EventHubSettings:
    """A source with identity, with `changes`."""
    return EventHubSettings(namespace="ns.servicebus.windows.net", name="flights", **changes)


def plain(snowflake_: SnowflakeSettings | None = None, eventhub_: EventHubSettings | None = None) -> Settings:
    """All settings of a process."""
    return Settings(
        eventhub=eventhub_ or eventhub(),
        snowflake=snowflake_ or snowflake(),
        control=ControlSettings(),
        process=ProcessSettings(),
    )
