"""A `.env` file: names and texts, without interpolation (a `$` in a password is a `$`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from shared.config.formats.files import no_such_file
from shared.errors import ConfigurationError

MOST_CHARACTERS = 1_000_000  # guards against a path that points at something else
NO_UTF_8, SAVE = "it is not UTF-8 text", "Save it as UTF-8."


@dataclass(frozen=True, slots=True)
class EnvFile:
    """What a file says."""

    values: Mapping[str, str]
    doubts: Mapping[str, str]
    """By name: what is probably not meant, as the end of a sentence that begins with the name."""


def read(path: Path, *, required: bool) -> EnvFile:
    """All `NAME=value` of the file; the last one of a name counts. Nothing when it is neither there nor required.

    Raises ConfigurationError when it cannot be read or has lines that are no assignment: it names those by number,
    for they may hold a secret.
    """
    text = _text(path, required=required)
    from dotenv.parser import parse_stream  # here, because most processes read no file

    bindings = list(parse_stream(StringIO(text)))
    if bad := [str(binding.original.line) for binding in bindings if binding.error]:
        raise ConfigurationError(
            f"Cannot understand the settings file {path}",
            f"no NAME=value in line {', '.join(bad)}",
            "A value of several lines, or with a # in it, needs quotes.",
        )
    values: dict[str, str] = {}
    doubts: dict[str, str] = {}
    for name, value, line in ((binding.key, binding.value, binding.original.line) for binding in bindings):
        if name and value is None:
            doubts[name] = f"has no = in line {line} of {path}, and is not set there"
        elif name and value is not None:
            if values.get(name, value) != value:
                doubts[name] = f"is set more than once in {path}: line {line} counts"
            values[name] = value
    return EnvFile(values, doubts)


def _text(path: Path, *, required: bool) -> str:
    problem = f"Cannot read the settings file {path}"
    try:
        # "-sig": editors on Windows begin a file with a mark, which would be part of the first name.
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(MOST_CHARACTERS + 1)
    except FileNotFoundError:
        if not required:
            return ""
        raise ConfigurationError(problem, no_such_file()) from None
    except PermissionError as error:
        raise ConfigurationError(problem, str(error.strerror), "Run evsup as the owner of the file.") from None
    except OSError as error:
        raise ConfigurationError(problem, str(error.strerror)) from None
    except UnicodeDecodeError:
        raise ConfigurationError(problem, NO_UTF_8, SAVE) from None
    if len(text) > MOST_CHARACTERS:
        raise ConfigurationError(problem, f"it has more than {MOST_CHARACTERS} characters")
    if "\0" in text:  # UTF-16 without a byte order mark can be read as UTF-8
        raise ConfigurationError(problem, NO_UTF_8, SAVE)
    return text
