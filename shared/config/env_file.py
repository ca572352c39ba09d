"""A `.env` file: names and texts, without interpolation (a `$` in a password is a `$`)."""

from io import StringIO
from pathlib import Path

from shared.errors import ConfigurationError

MOST_CHARACTERS = 1_000_000  # guards against a path that points at something else


def read(path: Path, *, required: bool) -> dict[str, str]:
    """All `NAME=value` of the file; the last one of a name counts. Nothing when it is neither there nor required.

    Raises ConfigurationError when it cannot be read or has lines that are no assignment: it names those by number,
    for they may hold a secret.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(MOST_CHARACTERS + 1)
    except FileNotFoundError:
        if not required:
            return {}
        raise ConfigurationError(f"Cannot read the settings file {path}", "there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigurationError(f"Cannot read the settings file {path}", str(reason)) from None
    if len(text) > MOST_CHARACTERS:
        raise ConfigurationError(
            f"Cannot read the settings file {path}", f"it has more than {MOST_CHARACTERS} characters"
        )
    from dotenv.parser import parse_stream  # here, because most processes read no file

    bindings = list(parse_stream(StringIO(text)))
    if bad := [str(binding.original.line) for binding in bindings if binding.error]:
        raise ConfigurationError(
            f"Cannot understand the settings file {path}",
            f"no NAME=value in line {', '.join(bad)}",
            "A value of several lines, or with a # in it, needs quotes.",
        )
    return {binding.key: binding.value for binding in bindings if binding.key and binding.value is not None}
