"""The task that reads the statuses of channels. It opens none: that would take it from its owner."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from shared.config import environment
from shared.config.settings import SnowflakeSettings
from shared.errors import SinkUnavailable
from shared.fixes import REACH_SNOWFLAKE
from shared.ipc.messages import ChannelStatus, ChannelStatuses
from shared.timeout import within
from worker.sink.channel import read_statuses
from worker.sink.sdk import prepare, probe
from worker.tasks import serve

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


@dataclass(frozen=True, slots=True)
class Question:
    """What the task is started with. Settings come through the environment, because secrets are not sent."""

    channels: Sequence[str]
    limit_s: float
    """How long the SDK may take."""
    asked_by: int
    """Pid of the process that asks."""


def run(question: Question, pipe: "Connection[bytes, bytes]") -> None:
    """Answer with `ChannelStatuses` or `Failed`. Never returns."""
    serve.answer(question.asked_by, pipe, partial(_statuses, question))


def _statuses(question: Question) -> ChannelStatuses:
    settings = environment.load_worker().snowflake
    prepare(settings, "error")  # errors are raised as well
    # Before the SDK is asked: it tries a server that does not answer for minutes.
    probe(settings)
    return ChannelStatuses(channels=_read(settings, question))


def _read(settings: SnowflakeSettings, question: Question) -> dict[str, ChannelStatus]:
    try:
        return within(question.limit_s, lambda: read_statuses(settings, question.channels))
    except TimeoutError as error:
        raise SinkUnavailable(
            "Snowflake did not report the channel statuses",
            str(error),
            REACH_SNOWFLAKE,
        ) from error
