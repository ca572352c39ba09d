"""The process that asks Snowflake how far channels are, and ends. It opens none: that would take it from its owner."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared import config
from shared.azure import within
from shared.clock import Deadline
from shared.errors import SinkUnavailable
from shared.messages import Answer, Command, Standing, Standings
from shared.pipe import MessagePipe
from shared.settings import SnowflakeSettings
from worker import guard
from worker.last_word import last_word
from worker.progress import Progress
from worker.sink import prepare_environment, probe, read_statuses

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

LAST_WORD_S = 2.0


@dataclass(frozen=True, slots=True)
class Question:
    """The channels, and who asks. Settings come through the environment, because secrets do not travel."""

    channels: Sequence[str]
    limit_s: float
    asked_by: int


def run(question: Question, pipe: "Connection[bytes, bytes]") -> None:
    """Answer with `Standings` or `Failed`. Never returns."""
    guard.die_with(question.asked_by)
    messages: MessagePipe[Command] = MessagePipe(pipe, Command)
    messages.send(_answer(question))
    messages.flush_until(Deadline.after(LAST_WORD_S))
    os._exit(0)  # the SDK's threads are left where they are


def _answer(question: Question) -> Answer:
    try:
        settings = config.load_worker().snowflake
        os.environ.setdefault("SS_LOG_LEVEL", "error")  # what matters is raised
        prepare_environment(settings)
        probe(settings)
        found = _read(settings, question)
    except Exception as error:  # noqa: BLE001 (the last word of this process)
        return last_word(error)[1]
    return Standings(
        channels={
            name: Standing(
                token=one.token,
                rows_error_count=one.rows_error_count,
                status_code=one.status_code,
                last_error=one.last_error,
            )
            for name, one in found.items()
        }
    )


def _read(settings: SnowflakeSettings, question: Question) -> dict[str, Progress]:
    try:
        return within(question.limit_s, lambda: read_statuses(settings, question.channels))
    except TimeoutError as error:
        raise SinkUnavailable(
            "Snowflake does not say how far the channels are",
            str(error),
            "Check SNOWFLAKE_ACCOUNT or SNOWFLAKE_URL, and the network between.",
        ) from error
