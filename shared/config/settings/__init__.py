"""Every setting of evsup: its name, type, default and meaning, in one place.

A variable's name is its struct's prefix plus the field in capitals (`EVENTHUB_` + `NAME`). `shared.config.environment`
reads the environment into these structs; `.env.example`, docs/settings.md and `evsup config` are made from them, so
that none of the four can differ from the others.
"""

from msgspec import Struct

from shared.config.settings.control import ControlSettings
from shared.config.settings.eventhub import EventHubSettings
from shared.config.settings.process import ProcessSettings
from shared.config.settings.snowflake import DEFAULT_PIPE, SnowflakeSettings

__all__ = ["DEFAULT_PIPE", "ControlSettings", "EventHubSettings", "ProcessSettings", "Settings", "SnowflakeSettings"]


class Settings(Struct, frozen=True, kw_only=True):
    """The effective settings of one process."""

    eventhub: EventHubSettings
    snowflake: SnowflakeSettings
    control: ControlSettings
    process: ProcessSettings
