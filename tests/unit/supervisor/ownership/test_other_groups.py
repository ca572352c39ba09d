"""A group that would load again what another one has loaded is refused before its first claim, and no other is."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shared.control.store import ControlStore
from shared.errors import DataRefused
from shared.ipc.messages import TableColumns
from shared.model import Checkpoint, ConsumerGroup
from shared.snowflake.column_loss import MadeFor
from shared.snowflake.tables import table_name
from supervisor.ownership.other_groups import refuse_second_load
from tests.unit.plain_settings import snowflake
from tests.unit.shared.control.stores import GROUP, Clock, Stores

TABLE = table_name(snowflake())


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    made = Stores(tmp_path / "control.db", Clock())
    yield made
    made.close()


def load(store: ControlStore, table: str = TABLE, last: int | None = 9) -> None:
    """The group has loaded into a table up to the event `last`; None: it has only begun."""
    term = store.claim("0", "me", 60.0)
    assert term
    checkpoint = Checkpoint("0", last, None, term.epoch)
    text = MadeFor(table, "P", TableColumns(names=("A",))).text
    store.save_checkpoint(checkpoint)
    store.record_columns(replace(checkpoint, target_columns=text), "me")


def test_a_group_that_would_load_the_events_of_another_again_is_refused_until_it_has_a_position(stores: Stores) -> None:
    load(stores.open()[0])
    store = stores.open(replace(GROUP, consumer_group="audit"))[0]
    with pytest.raises(DataRefused, match=r"group audit begins, and \$Default has loaded the hub") as refused:
        refuse_second_load(store, snowflake())
    assert "`EVENTHUB_CONSUMER_GROUP='$Default' evsup checkpoints export > positions.json`" in refused.value.fix
    store.enrol([Checkpoint("0", 9, None, 0)])
    refuse_second_load(store, snowflake())


@pytest.mark.parametrize(
    ("other", "table", "last"),
    [
        (replace(GROUP, consumer_group="$DEFAULT"), TABLE, 9),
        (replace(GROUP, eventhub_name="trains"), TABLE, 9),
        (replace(GROUP, consumer_group="audit"), '"EVENTS"."PUBLIC"."OTHER"', 9),
        (replace(GROUP, consumer_group="audit"), TABLE, None),
    ],
)
def test_what_was_loaded_of_another_hub_or_into_another_table_is_no_reason(
    stores: Stores, other: ConsumerGroup, table: str, last: int | None
) -> None:
    load(stores.open(other)[0], table, last)
    refuse_second_load(stores.open()[0], snowflake())
