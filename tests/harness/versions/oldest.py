"""An environment with the oldest of everything that evsup may run with: the lower end of each range in pyproject.toml.

`oldest.txt` pins it. After a change of pyproject.toml it is written anew by
`uv pip compile pyproject.toml --resolution lowest-direct --no-annotate -o tests/harness/versions/oldest.txt`.
"""

from pathlib import Path

from tests.harness.versions.environments import environment

ROOT = Path(__file__).resolve().parents[3]
PYPROJECT = ROOT / "pyproject.toml"
PINS = Path(__file__).parent / "oldest.txt"
OLDER_SDK = str(Path(__file__).parent / "older_sdk")
"""On PYTHONPATH, it takes from the streaming SDK what older ones lack."""


def oldest_evsup() -> str:
    """The `evsup` of that environment. It is made on the first call, and again when its requirements have changed."""
    requirements = ("--requirement", str(PINS), "--editable", str(ROOT))
    return str(environment("oldest", requirements, PYPROJECT.read_text() + PINS.read_text()) / "evsup")
