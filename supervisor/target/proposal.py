"""A table for the keys of recent events: `evsup init --target --from-sample`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase

from shared.config.formats.identifier import MOST_CHARACTERS
from shared.errors import DataRefused
from shared.ipc.messages import KeyShape, Sampled
from shared.snowflake.tables import EVSUP, Column
from supervisor.target.key_types import column_type

MOST_COLUMNS = 500  # a body with more keys is rather a map, whose keys are values
_UPPER = str.maketrans(ascii_lowercase, ascii_uppercase)


@dataclass(frozen=True, slots=True)
class Proposal:
    """The columns for the keys of a sample, and the keys that have none."""

    sampled: Sampled
    columns: Sequence[Column]
    left_out: Mapping[str, str]
    """By key, why."""

    def comments(self) -> Iterator[str]:
        """What a person has to know of the proposal, as SQL comments."""
        objects = f"{self.sampled.objects} of {self.sampled.events} recent events are JSON objects"
        yield f"-- {objects}. The types are those of their values: check them before the first event is loaded."
        for key, why in self.left_out.items():
            yield f"-- No column for the key {key!r}: {why}. Its values are kept in {EVSUP}:unknown."


def propose(sampled: Sampled) -> Proposal:
    """A column for each key, named in capitals as a pipe matches it. Raises `DataRefused` without any JSON object."""
    if not sampled.objects:
        raise DataRefused(
            "No table can be proposed",
            f"none of {sampled.events} recent events is a JSON object",
            "Send some events first, or create the table with your own columns and _EVSUP VARIANT.",
        )
    columns: dict[str, Column] = {}
    left_out: dict[str, str] = {}
    for shape in sampled.keys:
        name = _column_name(shape)
        if why := _problem(name, columns):
            left_out[shape.key] = why
        else:
            columns[name.upper()] = Column(name, column_type(shape))
    return Proposal(sampled, tuple(columns.values()), left_out)


def _column_name(shape: KeyShape) -> str:
    """A pipe matches ASCII letters without case; of others no page says so."""
    return shape.key.translate(_UPPER)


def _problem(name: str, columns: Mapping[str, Column]) -> str | None:
    """Why a key can have no column beside these. They are by their names in capitals: a start refuses a table with `é`
    and `É`, because a pipe may not tell them apart.
    """
    if name.upper() == EVSUP:
        return "that is evsup's own column"
    if name.upper() in columns:
        return "it differs from another key in case only"
    if not name or len(name) > MOST_CHARACTERS or '"' in name or not name.isprintable():
        return "it cannot be the name of a column"
    if len(columns) >= MOST_COLUMNS:
        return f"there are more than {MOST_COLUMNS} keys"
    return None
