"""A partition has one channel, and no other partition has it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model import ConsumerGroup
from shared.snowflake.channel_name import channel_name, of_generation

GROUP = ConsumerGroup("ns.servicebus.windows.net", "flights", "$Default")


def test_the_name_never_changes() -> None:
    """A name is where the committed token lives: another spelling would read every partition again."""
    assert of_generation(channel_name("evsup", GROUP, "3"), 0) == "EVSUP_FLIGHTS_DEFAULT_4D6C8503_3"
    assert of_generation(channel_name("evsup", GROUP, "3"), 1) == "EVSUP_FLIGHTS_DEFAULT_4D6C8503_3_G1"


def test_a_name_ends_with_its_partition() -> None:
    names = {channel_name("evsup", GROUP, str(number)) for number in range(32)}
    assert len(names) == 32
    assert channel_name("evsup", GROUP, "11").endswith("_11")


@pytest.mark.parametrize(
    "other",
    [
        ConsumerGroup("NS.ServiceBus.Windows.Net", "Flights", "$DEFAULT"),
        ConsumerGroup("ns.servicebus.windows.net", "FLIGHTS", "$default"),
    ],
)
def test_azures_names_ignore_case(other: ConsumerGroup) -> None:
    assert channel_name("evsup", other, "0") == channel_name("evsup", GROUP, "0")


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (ConsumerGroup("ns", "a-b", "g"), ConsumerGroup("ns", "a_b", "g")),
        (ConsumerGroup("ns", "a.b", "g"), ConsumerGroup("ns", "a-b", "g")),
        (ConsumerGroup("ns", "a", "b-c"), ConsumerGroup("ns", "a-b", "c")),
        (ConsumerGroup("ns", "h", "$Default"), ConsumerGroup("ns", "h", "default")),
        (ConsumerGroup("ns1", "h", "g"), ConsumerGroup("ns2", "h", "g")),
    ],
)
def test_names_that_look_alike_are_told_apart(one: ConsumerGroup, two: ConsumerGroup) -> None:
    assert channel_name("evsup", one, "0") != channel_name("evsup", two, "0")


azure_names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
groups = st.builds(ConsumerGroup, azure_names, azure_names, azure_names | st.just("$Default"))
prefixes = st.from_regex(r"[A-Za-z0-9_]{1,64}", fullmatch=True)


@given(prefixes, groups, st.integers(0, 2000))
def test_a_name_has_one_spelling(prefix: str, group: ConsumerGroup, partition: int) -> None:
    name = channel_name(prefix, group, str(partition))
    assert re.fullmatch(r"[A-Z0-9_]+", name)
    assert name == channel_name(prefix.upper(), group, str(partition))


@given(groups, groups, st.integers(0, 99), st.integers(0, 99))
def test_two_partitions_never_share_a_channel(one: ConsumerGroup, two: ConsumerGroup, left: int, right: int) -> None:
    def folded(group: ConsumerGroup) -> tuple[str, str, str]:
        return (
            group.fully_qualified_namespace.casefold(),
            group.eventhub_name.casefold(),
            group.consumer_group.casefold(),
        )

    same = folded(one) == folded(two) and left == right
    assert (channel_name("evsup", one, str(left)) == channel_name("evsup", two, str(right))) == same
