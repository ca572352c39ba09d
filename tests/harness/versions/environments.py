"""Python environments beside the one that runs the tests, made on the first call and kept in it."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

UV = str(Path(sys.executable).parent / "uv")


def environment(name: str, requirements: Sequence[str], made_from: str = "") -> Path:
    """The `bin` directory of an environment with `requirements` (arguments of `uv pip install`).

    It is made anew when they or `made_from` have changed. Raises CalledProcessError, with what uv said, when one of
    them cannot be installed here.
    """
    place = Path(sys.prefix) / name
    content, stamp = "\n".join([made_from, *requirements]), place / "made-from"
    if not stamp.exists() or stamp.read_text() != content:
        _uv("venv", "--clear", "--python", sys.executable, str(place))
        _uv("pip", "install", "--python", str(place), *requirements)
        stamp.write_text(content)
    return place / "bin"


def _uv(*arguments: str) -> None:
    subprocess.run([UV, "--quiet", *arguments], check=True, capture_output=True, text=True)
