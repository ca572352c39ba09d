"""A consumer group that begins where another one has loaded the same hub into the same table.

The name of the group is in the key of each checkpoint and in the name of each channel. So under another name evsup
would read everything again, and nothing would refuse the rows.
"""

from shared.config.settings import SnowflakeSettings
from shared.control.store import ControlStore
from shared.errors import DataRefused
from shared.snowflake.column_loss import made_for
from shared.snowflake.tables import table_name


def refuse_second_load(store: ControlStore, settings: SnowflakeSettings) -> None:
    """Raise `DataRefused` for such a group before its first claim. One that has a checkpoint or an owner has begun.

    Blocks and raises as the store.
    """
    if store.checkpoints() or store.ownerships():
        return
    table = table_name(settings)
    for other, text in store.loads_of_other_groups():
        if (loaded := made_for(text)) and loaded.table == table:
            raise DataRefused(
                f"Consumer group {store.group.consumer_group} begins, and {other} has loaded the hub into {table}",
                "each of its events would be there a second time",
                f"Set EVENTHUB_CONSUMER_GROUP={other}. Or take its positions over: stop its supervisors, run"
                f" `EVENTHUB_CONSUMER_GROUP='{other}' evsup checkpoints export > positions.json`, then"
                " `evsup checkpoints import positions.json --yes`. Or name another SNOWFLAKE_TABLE. If it was a table"
                " of another account: `evsup checkpoints reset --all --to -1 --yes`.",
            )
