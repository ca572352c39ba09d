"""Programs of Debian packages, unpacked into the virtual environment: without root, and without installing them."""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from scripts.localcloud.service import ServiceError

UNPACKED = Path(sys.prefix) / "share" / "evsup"
LIMIT_S = 120.0  # the lists of packages are some 10 MB


def unpack(name: str, packages: Sequence[str], *, with_dependencies: bool = False) -> Path:
    """The root of a tree with these packages in it, made on the first call; if asked for, also with those that they
    depend on and this system does not have.

    Raises `ServiceError` when there is no apt, no network or no such package.
    """
    root = UNPACKED / name
    if not root.is_dir():
        UNPACKED.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=UNPACKED) as scratch:
            made = _download(Path(scratch), packages, with_dependencies=with_dependencies)
            _move(made, root)
    return root


def _download(scratch: Path, packages: Sequence[str], *, with_dependencies: bool) -> Path:
    """Fetch and unpack into `scratch`, with lists of packages of its own: those of the system belong to root."""
    lists, cache, root = scratch / "lists", scratch / "cache", scratch / "root"
    for directory in (lists / "partial", cache / "archives" / "partial"):
        directory.mkdir(parents=True)
    apt = [
        "apt-get",
        "-qq",
        "-o",
        f"Dir::State::lists={lists}",
        "-o",
        f"Dir::Cache={cache}",
        "-o",
        "APT::Sandbox::User=",
    ]
    _run([*apt, "update"], scratch)
    if with_dependencies:
        planned = _run([*apt, "--simulate", "--no-install-recommends", "install", *packages], scratch)
        packages = sorted({*packages, *re.findall(r"^Inst (\S+)", planned, re.MULTILINE)})
    _run([*apt, "download", *packages], scratch)
    for package in scratch.glob("*.deb"):
        _run(["dpkg", "-x", str(package), str(root)], scratch)
    root.chmod(0o755)
    return root


def _move(made: Path, root: Path) -> None:
    """Put the tree in its place; another process may have been faster."""
    try:
        made.rename(root)
    except OSError:
        if not root.is_dir():
            raise


def _run(command: list[str], directory: Path) -> str:
    """What it prints."""
    if shutil.which(command[0]) is None:
        raise ServiceError(f"there is no {command[0]} here")
    try:
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        raise ServiceError(f"{' '.join(command)} has not ended after {LIMIT_S:.0f} s") from None
    if done.returncode != 0:
        raise ServiceError(f"{' '.join(command)} exited with {done.returncode}: {done.stderr.strip()}")
    return done.stdout
