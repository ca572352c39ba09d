"""Make a release: version, changelog, wheel and sdist, both tried outside the checkout, then a commit and a tag.

Nothing is pushed. Whatever fails leaves the checkout as it was, without commit or tag. It takes three minutes and asks
PyPI for the packages that evsup needs.
"""

import os
import re
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.command_line import Parser, run
from scripts.docs.generated import ROOT
from scripts.failure import Failed

VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
PROJECT = re.compile(r'(?<=^name = "evsup"\nversion = ")[^"]+', re.MULTILINE)  # in pyproject.toml and in uv.lock
# The tag of the image in a command, in kustomize, and in a label of the image itself.
IMAGE = re.compile(r"(?:(?<=REGISTRY/evsup:)|(?<=newTag: )|(?<=image\.version=))\d+\.\d+\.\d+")
UNRELEASED, NOTHING = "## Unreleased\n", "Nothing yet."

PROJECT_FILES = ("pyproject.toml", "uv.lock")
IMAGE_FILES = (
    "docs/operations.md",
    "scripts/deploy/Containerfile",
    "scripts/deploy/kubernetes/base/kustomization.yaml",
)

# The least that `evsup config` accepts; none of it is asked for anything.
SETTINGS = {
    "EVENTHUB_NAMESPACE": "name.servicebus.windows.net",
    "EVENTHUB_NAME": "flights",
    "SNOWFLAKE_ACCOUNT": "myorg-myaccount",
    "SNOWFLAKE_USER": "EVSUP",
    "SNOWFLAKE_ROLE": "EVSUP_LOADER",
    "SNOWFLAKE_DATABASE": "EVENTS",
    "SNOWFLAKE_SCHEMA": "PUBLIC",
    "SNOWFLAKE_TABLE": "FLIGHTS",
    "SNOWFLAKE_OAUTH_CLIENT_ID": "client",
    "SNOWFLAKE_OAUTH_CLIENT_SECRET": "secret",
    "SNOWFLAKE_OAUTH_TOKEN_ENDPOINT": "https://login.example.com/token",
}


class Refused(Failed):
    """Why there is no release, and what to do."""

    def __str__(self) -> str:
        return f"No release: {super().__str__()}"


def numbers(version: str) -> tuple[int, ...]:
    """`1.2.3` as numbers that can be compared."""
    match = VERSION.fullmatch(version)
    if match is None:
        raise Refused(f"{version!r} is not a version. Give three numbers: make release VERSION=1.2.3")
    return tuple(map(int, match.groups()))


def texts(root: Path, version: str, today: date) -> Iterator[tuple[Path, str]]:
    """Each file of the checkout that names the version, with its new text."""
    for names, pattern in ((PROJECT_FILES, PROJECT), (IMAGE_FILES, IMAGE)):
        for path in (root / name for name in names):
            yield path, pattern.sub(version, path.read_text(encoding="utf-8"))
    changelog = root / "CHANGELOG.md"
    yield changelog, dated(changelog.read_text(encoding="utf-8"), version, today)


def dated(changelog: str, version: str, today: date) -> str:
    """`changelog` with what was unreleased under the version and its date."""
    before, heading, after = changelog.partition(UNRELEASED)
    if not heading or after.lstrip().startswith((NOTHING, "## ")):
        raise Refused('CHANGELOG.md has nothing under "Unreleased". Say there what has changed.')
    return f"{before}{UNRELEASED}\n{NOTHING}\n\n## {version} - {today:%Y-%m-%d}\n{after}"


def refuse(root: Path, version: str) -> None:
    """Raises `Refused` unless this version may be released from this checkout."""
    current = PROJECT.findall((root / "pyproject.toml").read_text(encoding="utf-8"))[0]
    if numbers(version) < numbers(current):
        raise Refused(f"{version} is older than {current}, the version of pyproject.toml.")
    if _output("git", "status", "--porcelain", cwd=root):
        raise Refused("The checkout has changes. Commit them or take them back first: git status")
    if _output("git", "tag", "--list", f"v{version}", cwd=root):
        raise Refused(f"The tag v{version} exists. Choose the next version.")


def release(root: Path, version: str, today: date) -> None:
    """All steps, in order: nothing is committed before the packages have been tried."""
    refuse(root, version)
    for path, text in list(texts(root, version, today)):
        path.write_text(text, encoding="utf-8")
    try:
        for package in build(root, version):
            try_out(package, version)
    except BaseException:
        _output("git", "checkout", "--", ".", cwd=root)
        raise
    _output("git", "commit", "--all", "--message", f"Version {version}", cwd=root)
    _output("git", "tag", "--annotate", f"v{version}", "--message", f"evsup {version}", cwd=root)


def build(root: Path, version: str) -> tuple[Path, Path]:
    """The wheel and the sdist, in `dist/`."""
    _output(str(Path(sys.executable).parent / "uv"), "build", "--quiet", "--out-dir", "dist", cwd=root)
    wheel = root / "dist" / f"evsup-{version}-py3-none-any.whl"
    return wheel, root / "dist" / f"evsup-{version}.tar.gz"


def try_out(package: Path, version: str) -> None:
    """Install the package as a user does, in a directory that is not the checkout, and run what needs no service."""
    with TemporaryDirectory() as folder:
        home = Path(folder)
        venv.create(home / "venv", with_pip=True)
        _output(str(home / "venv/bin/pip"), "install", "--quiet", str(package), cwd=home)
        evsup = str(home / "venv/bin/evsup")
        reported = _output(evsup, "--version", cwd=home).split()[-1]
        if reported != version:
            raise Refused(f"{package.name} says that it is version {reported}, not {version}.")
        _output(evsup, "--help", cwd=home)
        _output(evsup, "config", cwd=home, environment=SETTINGS)
        print(f"{package.name}: installed in a fresh environment, and runs")


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Make the release that the command line names. Raises `Refused`."""
    parser = Parser("scripts.release", __doc__, "make release VERSION=1.2.3")
    parser.add_argument("version", nargs="?", default="", help="three numbers, such as 1.2.3")
    version = parser.parse_args(arguments).version
    release(root, version, datetime.now(UTC).date())
    print(f"Version {version} is committed and tagged as v{version}; the packages are in dist/. Nothing is pushed.")
    return 0


def _output(*command: str, cwd: Path, environment: Mapping[str, str] | None = None) -> str:
    """What the command prints; `Refused` with its last lines if it fails."""
    own = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH"}}
    done = subprocess.run(
        command, cwd=cwd, env={**own, **(environment or {})}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Refused(f"{' '.join(command)} failed with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    run(main)
