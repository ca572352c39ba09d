"""Take the pictures of docs/page.md from a running tree, which takes two minutes.

Local services, one supervisor with eight workers, and Chromium without a window. `page-light.png` is the tree at work.
For `page-dark.png` Snowflake commits nothing any more, until the page says so and what to do.
"""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

from scripts.command_line import Parser, run
from scripts.docs.generated import ROOT
from scripts.harness import browser
from scripts.harness.browser import Page
from scripts.harness.host import Host
from scripts.harness.waiting import eventually
from scripts.localcloud import debian
from scripts.localcloud.cloud import CloudSettings, LocalCloud
from shared.clock import Deadline

FOLDER = ROOT / "docs" / "pictures"
PARTITIONS, EVENTS = 8, 25  # of each partition, four times a second
WIDTH, HEIGHT = 1100, 760
ADDRESS = "127.0.0.1:9464"
CURVES_S = 60.0  # so that there is something to see
COLOURS = "32"  # a page has few, and a picture with few is small


def main(folder: Path = FOLDER) -> int:
    """Run, look, and write both pictures."""
    Parser("scripts.docs.screenshots", __doc__).parse_args()
    with LocalCloud(CloudSettings(PARTITIONS)) as cloud, _page() as page, _host(cloud) as host:
        host.output("init")
        evsup = host.start(EVSUP_HTTP_ADDRESS=ADDRESS, EVENTHUB_RETENTION_HOURS="24", SNOWFLAKE_COMMIT_TIMEOUT="300")
        evsup.await_running(PARTITIONS)
        page.resize(WIDTH, HEIGHT)
        page.open(f"http://{ADDRESS}/")
        worked = Deadline.after(CURVES_S)
        _publish_until(worked.passed, cloud)
        _publish_until(lambda: page.evaluate("document.title.startsWith('●')"), cloud)
        _take(page, "light", folder)
        cloud.snow.stall_commits()
        _publish_until(lambda: page.evaluate("document.title.startsWith('▲')"), cloud)
        _take(page, "dark", folder)
        cloud.snow.release_commits()
        evsup.stop()
    return 0


@contextmanager
def _page() -> Iterator[Page]:
    with browser.chromium(*browser.find()) as opened:
        yield opened()


def _host(cloud: LocalCloud) -> AbstractContextManager[Host]:
    return closing(Host(cloud.environment, cloud.directory))


def _publish_until(condition: Callable[[], bool], cloud: LocalCloud) -> None:
    def published() -> bool:
        for number in range(PARTITIONS):
            cloud.hub.seed(str(number), EVENTS + number)
        return condition()

    eventually(published, "the page shows it", every_s=0.25)


def _take(page: Page, scheme: str, folder: Path) -> None:
    page.prefer(scheme)
    pngquant = shutil.which("pngquant") or debian.unpack("pngquant", ["pngquant"]) / "usr" / "bin" / "pngquant"
    small = subprocess.run([pngquant, COLOURS, "-"], input=page.picture(), capture_output=True, check=True).stdout
    (folder / f"page-{scheme}.png").write_bytes(small)


if __name__ == "__main__":
    run(main)
