"""The alarm when events come close to leaving the hub unread."""

from tests.unit.captured_log import capture_logs
from worker.retention_alarm import WARN_EVERY_S, RetentionAlarm

DAY_S = 86400.0


def test_a_warning_comes_below_a_quarter_of_the_retention_and_not_again_for_ten_minutes() -> None:
    alarm = RetentionAlarm(24)
    with capture_logs() as lines:
        for left_s, now_s in (
            (None, 1.0),
            (DAY_S / 4 + 1, 2.0),
            (DAY_S / 4, 3.0),
            (100.0, 4.0),
            (0.0, 3.0 + WARN_EVERY_S),
        ):
            alarm.check(left_s, now_s)
    assert [(line["event"], line["seconds"]) for line in lines] == [
        ("time_to_loss_short", DAY_S / 4),
        ("time_to_loss_short", 0.0),
    ]
