"""What a program printed on a terminal, as one SVG that is readable on a light and on a dark page.

rich draws it. Its own frame would load a font from another host (`rich._export_format`). So the frame is ours, with the
reader's own monospace font. Each piece of text says how long it is, so columns stay in line in any font.
"""

import re
from html import escape

from rich.color import parse_rgb_hex
from rich.console import Console
from rich.terminal_theme import TerminalTheme

NAME = "t"  # of the classes: a picture is a document of its own
MARGIN = 14
NEEDLESS = re.compile(r' clip-path="[^"]*"|<text [^>]*>\n</text>')  # rich has cropped the lines already; ends of lines


def theme(ground: str, text: str, *colours: str) -> TerminalTheme:
    """A theme of rich. The colours are black, red, green, yellow, blue, magenta, cyan and white."""
    return TerminalTheme(parse_rgb_hex(ground), parse_rgb_hex(text), [parse_rgb_hex(colour) for colour in colours])


# The colours of GitHub's own pages. All of a theme differ, or rich would number the classes of the two themes
# differently. https://primer.style/product/primitives/color
LIGHT = theme("ffffff", "1f2328", "24292f", "cf222e", "1a7f37", "9a6700", "0969da", "8250df", "1b7c83", "6e7781")
DARK = theme("0d1117", "e6edf3", "484f58", "ff7b72", "3fb950", "d29922", "58a6ff", "bc8cff", "39c5cf", "b1bac4")


def svg(recorded: Console, title: str) -> str:
    """The picture of what a console with `record=True` has printed."""
    text = NEEDLESS.sub("", _part(recorded, LIGHT, "{matrix}"))
    if text != NEEDLESS.sub("", _part(recorded, DARK, "{matrix}")):
        raise ValueError("two colours of a theme are the same: the classes have other numbers than in the other theme")
    size = _part(recorded, LIGHT, "{terminal_width} {terminal_height}").split()
    width, height = (round(float(each)) + 2 * MARGIN for each in size)
    font = f"{_part(recorded, LIGHT, '{char_height}')}px ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>\ntext {{ font: {font} }}",
            _colours(recorded, LIGHT),
            f"@media (prefers-color-scheme: dark) {{\n{_colours(recorded, DARK)}\n}}\n</style>",
            f'<rect class="ground" x="1" y="1" width="{width - 2}" height="{height - 2}" rx="8"/>',
            f'<g transform="translate({MARGIN} {MARGIN})">',
            text.replace("</text><text", "</text>\n<text"),
            "</g>\n</svg>\n",
        ]
    )


def _colours(recorded: Console, theme: TerminalTheme) -> str:
    ground, edge = theme.background_color.hex, theme.ansi_colors[7].hex
    return f".ground {{ fill: {ground}; stroke: {edge} }}\n{_part(recorded, theme, '{styles}')}"


def _part(recorded: Console, theme: TerminalTheme, code_format: str) -> str:
    """What rich puts at these places of a frame."""
    return recorded.export_svg(theme=theme, clear=False, code_format=code_format, unique_id=NAME)
