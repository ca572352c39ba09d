"""The warning that events come close to leaving the hub unread."""

from shared.log.logger import get_logger

WARN_BELOW = 0.25  # of the retention: with a day of it, six hours are left to act
WARN_EVERY_S = 600.0

log = get_logger()


class RetentionAlarm:
    """Warns when the time to loss is short, and every ten minutes while it stays so."""

    def __init__(self, retention_hours: int | None) -> None:
        self._short_s = WARN_BELOW * 3600 * (retention_hours or 0)
        self._due_s = 0.0

    def check(self, time_to_loss_s: float | None, now_s: float) -> None:
        """Warn if the time to loss is short and no warning was given lately; None: nothing can be lost."""
        if time_to_loss_s is None or time_to_loss_s > self._short_s or now_s < self._due_s:
            return
        self._due_s = now_s + WARN_EVERY_S
        log.warning("time_to_loss_short", seconds=time_to_loss_s)
