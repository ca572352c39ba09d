"""An environment with the oldest of everything that evsup may run with: the lower end of each range in pyproject.toml.

`oldest.txt` pins it. After a change of pyproject.toml it is written anew by
`uv pip compile pyproject.toml --resolution lowest-direct --no-annotate -o tests/integration/oldest.txt`.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = ROOT / "pyproject.toml"
PINS = Path(__file__).parent / "oldest.txt"
ENVIRONMENT = Path(sys.prefix) / "oldest"
UV = str(Path(sys.executable).parent / "uv")


def oldest_evsup() -> str:
    """The `evsup` of that environment, which is made on the first call and after a change of what it is made from."""
    made_from = ENVIRONMENT / "made-from"
    content = PYPROJECT.read_text() + PINS.read_text()
    if not made_from.exists() or made_from.read_text() != content:
        _uv("venv", "--clear", "--python", sys.executable, str(ENVIRONMENT))
        _uv("pip", "install", "--python", str(ENVIRONMENT), "--requirement", str(PINS), "--editable", str(ROOT))
        made_from.write_text(content)
    return str(ENVIRONMENT / "bin" / "evsup")


def _uv(*arguments: str) -> None:
    subprocess.run([UV, "--quiet", *arguments], check=True)
