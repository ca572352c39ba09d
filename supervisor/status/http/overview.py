"""What the page at `/` shows, as one JSON document: the words of `evsup status`, the last minutes, the log."""

import re
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from shared.log.recent import LogLine
from supervisor.status.health import stuck
from supervisor.status.http.history import Figure, Sample, figures, sample
from supervisor.status.model import TreeState, TreeStatus
from supervisor.status.words.summary import (
    PARTITIONS,
    Line,
    Trouble,
    Verdict,
    facts,
    headline,
    troubled,
    troubles,
    verdict,
    worst_first,
)
from supervisor.version import JSON_VERSION


class Past(Struct, frozen=True):
    """What a tree's status does not say: how it was before."""

    samples: tuple[Sample, ...] = ()
    log: tuple[LogLine, ...] = ()


class Heading(Struct, frozen=True):
    """A column of the table of partitions."""

    name: str
    """As `evsup status` names it."""
    justify: Literal["left", "right"]
    """Where the text of a cell stands."""
    rank: int
    """How early the column is left out where there is no room; 0: never."""


class ShownPartition(Struct, frozen=True):
    """One partition: a line of the table."""

    troubled: bool
    """Whether one of the troubles is about it."""
    cells: tuple[str, ...]
    """The texts, one for each column."""
    keys: tuple[str | float | None, ...]
    """What the columns are sorted by: the values of the cells; None where there is none."""


class Overview(Struct, frozen=True, kw_only=True):
    """What the page at `/` shows. Its texts are for people: programs read `/status`."""

    version: int = JSON_VERSION
    """Of the document."""
    evsup: str
    """The version of the supervisor."""
    title: str
    """Hub and table."""
    state: TreeState
    """As in `/status`."""
    verdict: Verdict
    """`well`; `changing`: it starts, or drains as it was asked to; `warning`: something is wrong that stops nothing;
    `degraded`: not healthy, or stuck."""
    headline: str
    """The state in a few words, without numbers that change every second."""
    facts: tuple[Line, ...]
    """The lines of `evsup status` that are always there."""
    troubles: tuple[Trouble, ...]
    """All that is wrong, the worst first."""
    figures: tuple[Figure, ...]
    """The most important numbers, with those of the last ten minutes."""
    columns: tuple[Heading, ...]
    """Of the table of partitions."""
    partitions: tuple[ShownPartition, ...]
    """The worst first."""
    log: tuple[LogLine, ...]
    """The last lines of the log, the newest first."""


DECIMAL = re.compile("[0-9]{1,15}")  # as many digits as a number of JavaScript keeps
NO_PAST = Past()
HEADINGS = tuple(Heading(column.name, column.justify, column.rank) for column in PARTITIONS)


def overview(tree: TreeStatus, past: Past, now_s: float) -> Overview:
    """The document at a given time of the monotonic clock."""
    silent = stuck(tree, now_s)
    return Overview(
        evsup=tree.evsup,
        title=f"{_last(tree.source, '/')} → {_last(tree.target.partition(' through ')[0], '.')}",
        state=tree.state,
        verdict="degraded" if silent else verdict(tree),
        headline=f"stuck, was {headline(tree)}" if silent else headline(tree),
        facts=tuple(facts(tree)),
        troubles=(*_stuck(silent, tree.pid), *troubles(tree)),
        figures=figures(sample(tree.partitions), past.samples),
        columns=HEADINGS,
        partitions=_partitions(tree),
        log=past.log[::-1],
    )


def _stuck(silent: str | None, pid: int) -> Sequence[Trouble]:
    # Not SIGUSR1: the loop that does not turn would have to answer it.
    fix = f"A restart helps: `kill -ABRT {pid}` ends it, and leaves the stacks of its threads in the log"
    text = f"{silent}, and everything here is as of then. {fix}"
    return (Trouble("stuck", text, "evsupstuck", stops=True),) if silent else ()


def _partitions(tree: TreeStatus) -> tuple[ShownPartition, ...]:
    bad = troubled(tree)
    return tuple(
        ShownPartition(
            row.partition in bad,
            tuple(column.cell(row) for column in PARTITIONS),
            tuple(_key(getattr(row, column.field)) for column in PARTITIONS),
        )
        for row in worst_first(tree)
    )


def _key(value: str | float | None) -> str | float | None:
    """Numbers that are texts, such as a partition's id, are sorted as numbers."""
    return int(value) if isinstance(value, str) and DECIMAL.fullmatch(value) else value


def _last(text: str, separator: str) -> str:
    return text.rpartition(separator)[2]
