"""Files that settings name."""

import os
from pathlib import Path

PEM_CERTIFICATE = "-----BEGIN CERTIFICATE-----"


def text_of(path: str, most_bytes: int) -> str:
    """The file's text. Raises ValueError with the reason in plain words."""
    file = Path(path)
    try:
        if file.is_dir():
            raise ValueError("is a directory")
        if not file.is_file():
            raise ValueError(f"there is no such file (from the directory {Path.cwd()})")
        with file.open("rb") as opened:
            return opened.read(most_bytes).decode()
    except UnicodeDecodeError:
        raise ValueError("is not a text file") from None
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None


def is_open_to_others(path: str) -> bool:
    """Whether somebody beside the owner may read the file."""
    return bool(os.stat(path).st_mode & 0o077)  # noqa: PTH116 (a text in, a number out)


def certificate_problem(path: str | None) -> str | None:
    """Why `path` is no bundle of certificates, in plain words; None when it is one, or not set."""
    if path is None:
        return None
    try:
        text = text_of(path, most_bytes=16 * 1024 * 1024)
    except ValueError as error:
        return str(error)
    return None if PEM_CERTIFICATE in text else f"is not PEM: there is no line '{PEM_CERTIFICATE}'"
