"""The checkpoint of one partition: the newest one to write, and the one that is stored."""

from shared.errors import StoreUnavailable
from shared.log.logger import get_logger
from shared.model import Checkpoint
from worker.backoff import Backoff
from worker.pipeline.background import Background
from worker.pipeline.ports import SaveCheckpoint

SAVE_FIRST_S, SAVE_MOST_S = 0.5, 5.0
SAVE_LIMIT_S = 60.0  # a checkpoint that cannot be written for so long fails the worker

log = get_logger()


class Checkpointer:
    """Writes one checkpoint at a time, always the newest. Never blocks; knows no clock: `now_s` is passed in."""

    def __init__(self, save: SaveCheckpoint, stored: Checkpoint, newest: Checkpoint) -> None:
        self._save = save
        self._saving: Background[Checkpoint] = Background("checkpoint")
        self._backoff = Backoff(SAVE_FIRST_S, SAVE_MOST_S)
        self._stored, self.newest = stored, newest
        self._began_s = 0.0
        self.failures = 0
        """Writes that are tried again."""
        self.took_s = 0.0
        """How long the last one took that was stored."""

    def fileno(self) -> int:
        """Readable when a write has ended."""
        return self._saving.fileno()

    @property
    def is_settled(self) -> bool:
        """Whether the newest checkpoint is stored and no write is under way."""
        return not self._saving.is_busy and self._is_stored

    @property
    def _is_stored(self) -> bool:
        return _written_part(self._stored) == _written_part(self.newest)

    def save(self, now_s: float) -> None:
        """Begin to write the newest checkpoint, unless it is stored, a write is under way, or it is too early."""
        if self._is_stored or self._saving.is_busy or now_s < self._backoff.until_s:
            return
        # Taken now: `newest` may move on while this one is written, and then it is not settled.
        checkpoint, self._began_s = self.newest, now_s
        self._saving.submit(lambda: self._written(checkpoint))

    def take_stored(self, now_s: float) -> Checkpoint | None:
        """The checkpoint that a write has stored since the last call; None: none has.

        Raises what the write failed with, `StoreUnavailable` only after `SAVE_LIMIT_S` of failures.
        """
        try:
            stored = self._saving.take()
        # No other error is tried again: a fence says that the partition has a new owner, and a refusal stays one.
        except StoreUnavailable as error:
            self.failures += 1
            self._backoff.record_failure(now_s)
            if self._backoff.lasted_s(now_s) > SAVE_LIMIT_S:
                raise
            log.warning("checkpoint_retrying", reason=str(error))
            return None
        if stored is not None:
            self._backoff.reset()
            self._stored, self.took_s = stored, now_s - self._began_s
        return stored

    def _written(self, checkpoint: Checkpoint) -> Checkpoint:
        self._save(checkpoint)
        return checkpoint


def _written_part(checkpoint: Checkpoint) -> tuple[int | str | None, ...]:
    """What a pipeline changes in a checkpoint; all else follows from it."""
    about_table = checkpoint.checked_up_to, checkpoint.target_columns
    return checkpoint.sequence_number, checkpoint.unsettled_from, *about_table
