"""Bars as SVG, drawn by hand: a few hundred bytes, readable on a light and on a dark page.

A browser tells a picture which of the two its reader prefers: https://developer.mozilla.org/docs/Web/CSS/@media/prefers-color-scheme
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LABEL_WIDTH, VALUE_WIDTH = 760, 270, 110
LINE, BAR, TOP = 28, 16, 34
GAP = 10  # between groups
STYLE = """\
<style>
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600 }
  .bar { fill: #afb8c1 }
  .own { fill: #0969da }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .bar { fill: #57606a }
    .own { fill: #4493f8 }
  }
</style>"""


@dataclass(frozen=True)
class Bar:
    """One line of a chart."""

    label: str
    value: float
    text: str
    """The value, as it is written beside the bar."""
    is_own: bool = False
    """Whether it is evsup's."""
    begins_group: bool = False


def chart(title: str, bars: Sequence[Bar]) -> str:
    """All bars on one scale that begins at 0."""
    most = max((bar.value for bar in bars), default=0.0)
    lines, y = [], TOP
    for bar in bars:
        y += GAP if bar.begins_group else 0
        lines += _lines(bar, y, bar.value / most)
        y += LINE
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 6}" width="{WIDTH}" role="img">',
            f"<title>{escape(title)}</title>",
            STYLE,
            f'<text class="title" x="0" y="18">{escape(title)}</text>',
            *lines,
            "</svg>\n",
        ]
    )


def _lines(bar: Bar, y: int, share: float) -> list[str]:
    length = max(1.0, share * (WIDTH - LABEL_WIDTH - VALUE_WIDTH))
    kind = "own" if bar.is_own else "bar"
    return [
        f'<text x="{LABEL_WIDTH - 10}" y="{y + 13}" text-anchor="end">{escape(bar.label)}</text>',
        f'<rect class="{kind}" x="{LABEL_WIDTH}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"/>',
        f'<text x="{LABEL_WIDTH + length + 8:.1f}" y="{y + 13}">{escape(bar.text)}</text>',
    ]
