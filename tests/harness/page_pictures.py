"""Write the two pictures of docs/page.md: `python -m tests.harness.page_pictures`. Look at them before you commit them.

A tree with a partition that Snowflake commits nothing of, on a desk by day and on a telephone by night.
"""

from contextlib import closing
from math import sin
from pathlib import Path

from scripts.docs.generated import ROOT
from scripts.harness.waiting import eventually
from shared.log.recent import RecentLines
from supervisor.status.http.history import MOST
from supervisor.status.http.server import HttpServer, listen
from supervisor.status.model import TreeStatus
from tests.harness import browser
from tests.harness.ports import free_port
from tests.harness.scenes import partition, tree
from tests.unit.supervisor.status.statuses import NOW_S

PICTURES = ROOT / "docs" / "pictures"
STALLED_S = 48.0
LOG: tuple[tuple[str, str, dict[str, object]], ...] = (
    ("info", "worker_started", {"partition": "3", "epoch": 37, "worker": 101_003}),
    ("info", "partition_opened", {"partition": "3", "after": 1_234_567_893_123, "reason": "the token of the channel"}),
    ("warning", "receiver_reopening", {"partition": "2", "reason": "Event Hubs moved the partition"}),
    ("warning", "status_unavailable", {"partition": "3", "reason": "503 from Snowflake"}),
)


def at(step: int) -> TreeStatus:
    """The tree so many samples after the first: partition 3 stands still in the end."""
    stalled_s = max(0.0, STALLED_S - 5 * (MOST - step))
    rates = [2450 + 300 * sin(step / (5 + number)) for number in range(4)]
    rows = [
        partition(number, rows_per_s=rate, lag=round(rate / 9), lag_s=2 + sin(step / 3 + number))
        for number, rate in enumerate(rates[:3])
    ]
    last = partition(
        3,
        rows_per_s=0.0 if stalled_s else rates[3],
        lag=round(260 + stalled_s * rates[3]),
        lag_s=2 + stalled_s,
        row_age_s=5 + stalled_s,
        commit_age_s=1 + stalled_s,
        commit_wait_s=stalled_s,
    )
    return tree(*rows, last)


def main() -> None:
    """Take both."""
    step = 0

    def read() -> TreeStatus:
        nonlocal step
        step = min(step + 1, MOST)
        return at(step)

    recent, port = RecentLines(), free_port()
    for number, (level, event, values) in enumerate(LOG):
        recent.add({"timestamp": f"2026-11-28T13:0{number}:12.123456Z", "level": level, "event": event, **values})
    with (
        closing(HttpServer([listen(f"127.0.0.1:{port}")], read, recent, lambda: NOW_S, sample_every_s=0.02)),
        browser.chromium(*browser.find()) as opened,
    ):
        eventually(lambda: step == MOST, "the history is full")
        page = opened()
        for name, width, scheme in (("page", 1280, "light"), ("page-phone", 360, "dark")):
            page.resize(width, 640)
            page.prefer(scheme)
            page.open(f"http://127.0.0.1:{port}/", "document.getElementById('rows')?.children.length === 4")
            page.screenshot(PICTURES / f"{name}.webp")
            print(Path(PICTURES / f"{name}.webp").stat().st_size, "bytes")


if __name__ == "__main__":
    main()
