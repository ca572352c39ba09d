"""Files that settings name."""

import os
import stat
from pathlib import Path

# No secret is longer, and no PEM of a key: guards against a path that points at something else.
SECRET_BYTES = 64 * 1024
PEM_CERTIFICATE = "-----BEGIN CERTIFICATE-----"


def text_of(path: str, most_bytes: int) -> str:
    """The file's text. Raises ValueError with the reason in plain English."""
    try:
        return bytes_of(path, most_bytes).decode()
    except UnicodeDecodeError:
        raise ValueError("is not a text file") from None


def bytes_of(path: str, most_bytes: int) -> bytes:
    """The first bytes of a regular file. Raises ValueError with the reason in plain English.

    A pipe would give its content to the first process that reads it, and nothing to the workers after it.
    """
    file = Path(path)
    try:
        mode = file.stat().st_mode
        if stat.S_ISDIR(mode):
            raise ValueError("is a directory")
        if not stat.S_ISREG(mode):
            raise ValueError("is a pipe or a device; the path of a file is needed")
        with file.open("rb") as opened:
            return opened.read(most_bytes)
    except FileNotFoundError:
        raise ValueError(no_such_file()) from None
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None


def no_such_file() -> str:
    """Why a path is not found, with where a relative one begins."""
    here = os.readlink("/proc/self/cwd")  # noqa: PTH115 (which also names one that was deleted)
    return f"there is no such file (from the directory {here})"


def is_open_to_others(path: str) -> bool:
    """Whether the file's mode lets anybody beside the owner in. Raises OSError when there is no such file."""
    # Whatever they may do: who may write the file can have another credential used.
    return bool(os.stat(path).st_mode & 0o077)  # noqa: PTH116 (a text in, a number out)


def certificate_problem(path: str | None) -> str | None:
    """Why `path` is no bundle of certificates, in plain English; None when it is one, or not set."""
    if path is None:
        return None
    try:
        text = text_of(path, most_bytes=16 * 1024 * 1024)
    except ValueError as error:
        return str(error)
    return None if PEM_CERTIFICATE in text else f"is not PEM: there is no line '{PEM_CERTIFICATE}'"
