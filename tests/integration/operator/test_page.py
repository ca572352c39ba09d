"""The page at `/` in a real Chromium, served by the real HTTP server: it shows, sorts, loses and finds a supervisor."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product

import pytest

from scripts.harness import browser
from scripts.harness.browser import Page
from scripts.localcloud.service import ServiceError
from shared.log.recent import RecentLines
from supervisor.status.http.server import HttpServer, listen
from supervisor.status.model import TreeStatus
from tests.harness.scenes import HOSTILE, LARGE, SCENES, draining, failing, healthy, hostile, lagging, partition, tree
from tests.harness.services.ports import free_port
from tests.unit.supervisor.status.statuses import NOW_S

TAB, ENTER = ("Tab", 9), ("Enter", 13, "\r")
ROWS = "[...document.querySelectorAll('#rows tr')]"
FIRST = f"{ROWS}.map(row => row.cells[0].textContent)"


class Scene:
    """A supervisor's HTTP server that shows whatever the test sets."""

    def __init__(self) -> None:
        self.tree: TreeStatus = healthy(4)
        self.recent = RecentLines()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"

    @contextmanager
    def served(self) -> Iterator[None]:
        """While it lasts, the supervisor answers."""
        server = HttpServer([listen(f"127.0.0.1:{self.port}")], lambda: self.tree, self.recent, clock=lambda: NOW_S)
        try:
            yield
        finally:
            server.close()


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    try:
        program, environment = browser.find()
    except ServiceError as error:
        pytest.skip(f"no Chromium on PATH, and none from Debian: {error}")
    with browser.chromium(program, environment) as opened:
        yield opened()


@pytest.fixture
def scene(page: Page) -> Iterator[Scene]:
    """A supervisor that answers; the browser is on a desk, by day, and its console stays empty."""
    made = Scene()
    page.resize(1280)
    page.prefer("light")
    with made.served():
        yield made
        assert page.complaints() == []
        assert {url for url in page.requested() if not url.startswith((made.url, "data:"))} == set()


def show(page: Page, scene: Scene, tree: TreeStatus) -> None:
    """Open the page of this tree, and wait until all its partitions are there."""
    scene.tree = tree
    page.open(scene.url, f"document.getElementById('rows')?.children.length === {len(tree.partitions)}")


def text(page: Page, selector: str) -> str:
    """What a person reads there."""
    found: str = page.evaluate(f"document.querySelector({selector!r}).innerText")
    return found


def test_each_state_of_a_tree_is_named_with_what_is_wrong_and_a_link_to_the_runbook(page: Page, scene: Scene) -> None:
    said = {}
    for name, make in SCENES.items():
        show(page, scene, make(32))
        links = page.evaluate("[...document.querySelectorAll('#troubles a')].map(link => link.href)")
        said[name] = (text(page, "#headline"), text(page, "#mark"), [link.partition("#")[2] for link in links])
    assert said == {
        "healthy": ("running, healthy", "●", []),
        "lagging": ("running, healthy, 3 warnings", "▲", ["evsupstalled", "evsuplate", "evsuplossnear"]),
        "failing": ("draining, degraded, 1 warning", "■", ["exit-65", "evsuprestarts"]),
        "draining": ("draining, as it was asked to", "◐", []),
    }


def test_a_link_to_the_runbook_shows_its_section(page: Page, scene: Scene) -> None:
    show(page, scene, failing())
    page.evaluate("document.querySelector('#troubles a').click()")
    page.wait("location.pathname === '/runbook' && document.querySelector(':target')?.innerText === 'Exit 65'")


def test_figures_rows_and_numbers_are_whole(page: Page, scene: Scene) -> None:
    show(page, scene, lagging())
    assert text(page, "#title") == "flights → FLIGHTS"
    assert page.evaluate(f"{FIRST}.slice(0, 2)") == ["3", "1"], "the worst first"
    assert str(LARGE + 3020) in text(page, "#rows tr")
    assert "1 h 2 min" in text(page, "#figures")
    assert page.evaluate("document.querySelectorAll('#figures path[d^=M]').length") == 4


def test_the_page_follows_the_tree(page: Page, scene: Scene) -> None:
    show(page, scene, healthy(4))
    scene.tree = failing(8)
    page.wait("document.getElementById('headline').textContent.startsWith('draining')")
    assert page.evaluate("document.title") == "■ flights → FLIGHTS"
    assert page.evaluate(f"{ROWS}.length") == 8


def test_nothing_that_others_wrote_becomes_html(page: Page, scene: Scene) -> None:
    scene.recent.add({"timestamp": HOSTILE, "level": "error", "event": HOSTILE, "reason": HOSTILE, HOSTILE: HOSTILE})
    scene.recent.add_rendered(HOSTILE)
    show(page, scene, hostile())
    assert page.evaluate("document.querySelectorAll('main img, main script').length") == 0
    assert "struck" not in page.evaluate("document.title").partition("<")[0]
    for place in ("#rows", "#troubles", "#facts", "#log"):
        assert HOSTILE in text(page, place)


@pytest.mark.parametrize(("width", "scheme"), list(product([320, 360, 768, 1280, 1920], ["light", "dark"])))
def test_no_width_makes_the_page_scroll_sideways(page: Page, scene: Scene, width: int, scheme: str) -> None:
    page.resize(width)
    page.prefer(scheme)
    scene.recent.add({"timestamp": "2026-11-28T13:00:00Z", "level": "info", "event": "e" * 50, "reason": "r" * 900})
    for status in (failing(4), lagging(200), hostile()):
        show(page, scene, status)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 20, 23)"
    assert dark == (scheme == "dark")


def test_a_phone_shows_state_lag_and_lateness_of_every_partition(page: Page, scene: Scene) -> None:
    page.resize(360)
    show(page, scene, lagging(200))
    shown = page.evaluate(
        "[...document.querySelectorAll('#headings th')].filter(th => th.offsetWidth).map(th => th.innerText)"
    )
    assert shown[:4] == ["PART", "STATE", "LAG", "BEHIND"]
    assert page.evaluate("document.getElementById('table').scrollWidth") <= 360


def test_the_table_is_sorted_by_the_keyboard_and_stays_so(page: Page, scene: Scene) -> None:
    odd = (partition(0, lag=None), partition(1, lag=5), partition(2, lag=70), partition(10, lag=6))
    show(page, scene, tree(*odd))
    page.evaluate("document.getElementById('table').focus()")
    for _ in range(3):
        page.press(*TAB)
    assert page.evaluate("document.activeElement.innerText") == "LAG"
    orders = []
    for direction in ("descending", "ascending", None):
        page.press(*ENTER)
        assert page.evaluate("document.querySelectorAll('#headings th')[2].ariaSort") == direction
        orders.append(page.evaluate(FIRST))
    assert orders == [["2", "10", "1", "0"], ["1", "10", "2", "0"], ["2", "10", "1", "0"]]
    page.press(*ENTER)
    scene.tree = tree(*odd, partition(7, lag=900))
    page.wait(f"{FIRST}.join() === '7,2,10,1,0'")
    assert page.evaluate("document.activeElement.innerText") == "LAG", "the focus stays"


def test_a_supervisor_that_is_gone_is_said_and_its_return_is_noticed(page: Page) -> None:
    scene = Scene()
    with scene.served():
        show(page, scene, healthy(4))
    page.wait("/^No answer for \\d+ s: last seen at /.test(document.getElementById('silence').innerText)")
    assert text(page, "#headline") == "No answer from the supervisor"
    assert page.evaluate("document.title.startsWith('✕')")
    scene.tree = healthy(8)
    with scene.served():
        page.wait(f"{ROWS}.length === 8 && document.getElementById('silence').hidden")
        assert text(page, "#headline") == "running, healthy"


def test_a_page_that_nobody_looks_at_asks_seldom(page: Page, scene: Scene) -> None:
    show(page, scene, healthy(4))
    page.evaluate("clearTimeout(timer); window.setTimeout = (_, delay) => { window.delay = delay; }")
    for is_hidden, delay_ms in ((True, 30_000), (False, 1_000)):
        page.evaluate(f"Object.defineProperty(document, 'hidden', {{value: {str(is_hidden).lower()}, writable: true}})")
        page.evaluate("poll()")
        page.wait(f"window.delay === {delay_ms}")


def test_after_an_upgrade_the_page_is_loaded_anew(page: Page, scene: Scene) -> None:
    show(page, scene, healthy(4))
    page.evaluate("window.before = true")
    scene.tree = tree(*healthy(4).partitions, evsup="9.9.9")
    page.wait("!window.before && document.getElementById('headline')?.textContent === 'running, healthy'")


def test_only_the_state_is_read_out_when_it_changes(page: Page, scene: Scene) -> None:
    show(page, scene, lagging())
    live = "[...document.querySelectorAll('[aria-live], [role=status], [role=alert]')].map(node => node.id)"
    assert page.evaluate(live) == ["headline"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_the_contrast_of_wcag_aa(page: Page, scene: Scene, scheme: str) -> None:
    page.prefer(scheme)
    scene.recent.add({"timestamp": "2026-11-28T13:00:00Z", "level": "warning", "event": "sequence_gap", "count": 3})
    scene.recent.add({"timestamp": "2026-11-28T13:00:01Z", "level": "error", "event": "tree_failed", "reason": "x"})
    for status in (failing(), lagging(), draining()):
        show(page, scene, status)
        assert page.evaluate(TOO_FAINT) == []


# Texts whose contrast to what is behind them is below 4.5: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
TOO_FAINT = """
(() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const colour = channels(getComputedStyle(node).backgroundColor);
      if (colour.length === 3) return colour;
    }
    return [255, 255, 255];
  };
  const hasText = (node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
  return [...document.querySelectorAll('body *')]
    .filter((node) => hasText(node) && node.offsetWidth)
    .filter((node) => {
      const [a, b] = [light(channels(getComputedStyle(node).color)), light(behind(node))].sort((x, y) => y - x);
      return (a + 0.05) / (b + 0.05) < 4.5;
    })
    .map((node) => `${node.tagName} ${node.textContent.slice(0, 40)}`);
})()
"""
