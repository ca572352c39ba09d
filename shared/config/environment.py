"""The effective settings of a process, from the command line, the environment and a `.env` file.

The real environment wins over the file, the command line over both; empty means unset. Every fault is reported at
once. `shared.config.settings` says what there is, `shared.config.rules` what goes together.
"""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from msgspec import structs

from shared.config import env_file as dotenv
from shared.config import rules
from shared.config.env_file import EnvFile
from shared.config.faults import Fault, report
from shared.config.formats.files import is_open_to_others
from shared.config.settings import Settings
from shared.config.variables import PREFIXES, VARIABLES
from shared.log.secret import Secret, remember_all

DEFAULT_ENV_FILE = Path(".env")
COMMAND_LINE, ENVIRONMENT, DEFAULT = "command line", "environment", "default"

# How alike two names must be, after their prefix, before one is taken for a misspelt other. Whole names, where the
# prefix itself is misspelt, must be more alike: other tools have names of their own.
LIKE_A_TYPING_ERROR = 0.75
WHOLE_LIKE_A_TYPING_ERROR = 0.86
STANDARD_PREFIX = "OTEL_"  # variables that the SDK of OpenTelemetry reads from the environment
OWN_PREFIX = "EVSUP_"  # ours alone: an unknown name with it is a typing error even when it resembles no setting


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings that passed every rule, and where they came from."""

    settings: Settings
    sources: Mapping[str, str]
    """By variable: `command line`, `environment`, the path of the `.env` file, or `default`."""
    warnings: tuple[str, ...]
    """What is allowed and probably not meant, one sentence each."""
    texts: Mapping[str, Secret] = field(repr=False)
    """The variables that were set, as they were typed; those of OpenTelemetry among them."""


def load(
    env_file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Loaded:
    """Read and check the settings.

    `env_file` must exist when it is named; else `.env` in the working directory is read if it is there. `environ` is
    the process's own unless given. `overrides` are the flags of the command line by variable, None where a flag was
    not typed. Raises ConfigurationError with all faults.
    """
    path = env_file or DEFAULT_ENV_FILE
    in_file = dotenv.read(path, required=env_file is not None)
    flags = {name: str(value) for name, value in (overrides or {}).items() if value is not None}
    environ = os.environ if environ is None else environ
    layers = [(COMMAND_LINE, flags), (ENVIRONMENT, environ), (str(path), in_file.values)]
    given = {name for _, layer in layers for name, text in layer.items() if text}
    loaded = _load(layers, [*_unknown_in_file(in_file.values, given)], _unknown_in_environment(environ, given))
    return replace(loaded, warnings=(*loaded.warnings, *_doubts(path, in_file, loaded.sources)))


def load_one(variable: str, env_file: Path | None = None) -> Any:
    """The value of one variable, None when it is not set; the others are not looked at: for a command that needs no
    more than where to ask. Raises ConfigurationError when it, or the file, cannot be used.
    """
    path = env_file or DEFAULT_ENV_FILE
    in_file = dotenv.read(path, required=env_file is not None)
    texts, sources = _typed([(ENVIRONMENT, os.environ), (str(path), in_file.values)])
    try:
        return VARIABLES[variable].parse(texts[variable]) if variable in texts else None
    except ValueError as error:
        raise report([Fault(variable, str(error))], texts, sources) from None


def load_worker(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings in a worker: from the environment that its supervisor made (`environment_for_worker`), nothing else.

    A `.env` file is not read again: it may have changed, or not be the one that `--env-file` named.
    """
    return _load([(ENVIRONMENT, os.environ if environ is None else environ)], [], ()).settings


def environment_for_worker(loaded: Loaded) -> dict[str, str]:
    """What a child's environment needs on top of the supervisor's own, so that `load_worker` gives the same settings.

    A `Secret` refuses to travel through a pipe, so each process reads its own environment.
    """
    return {name: text.reveal() for name, text in loaded.texts.items()}


def _load(layers: list[tuple[str, Mapping[str, str]]], faults: list[Fault], warnings: Iterable[str]) -> Loaded:
    texts, sources = _typed(layers)
    standard = _standard(layers)
    # Before anything is parsed: a fault quotes what was typed.
    remember_all(texts | standard)
    remember_all(os.environ)  # what other tools read there: a proxy's login, AZURE_CLIENT_SECRET
    values, malformed = _parsed(texts)
    faults = [*faults, *malformed]
    settings = _assembled(values)
    # After the types: a rule that looks at a value which is no value would only repeat its fault.
    faults += rules.faults(settings, faulty={fault.variable for fault in faults})
    if faults:
        raise report(faults, texts, sources)
    return Loaded(
        settings=settings,
        sources={name: sources.get(name, DEFAULT) for name in VARIABLES},
        warnings=(*rules.cautions(settings), *warnings),
        texts={name: Secret(text) for name, text in (standard | texts).items()},
    )


def _typed(layers: list[tuple[str, Mapping[str, str]]]) -> tuple[dict[str, str], dict[str, str]]:
    """The clean text of each variable that is set, and its source: of the first layer where it is not empty."""
    texts: dict[str, str] = {}
    sources: dict[str, str] = {}
    for source, layer in layers:
        for name in VARIABLES.keys() - texts.keys():  # those that no layer before has set
            if text := VARIABLES[name].clean(layer.get(name, "")):
                texts[name], sources[name] = text, source
    return texts, sources


def _standard(layers: list[tuple[str, Mapping[str, str]]]) -> dict[str, str]:
    """The variables of OpenTelemetry that are set. They are no settings, and yet may stand in the file beside them."""
    found: dict[str, str] = {}
    for _, layer in reversed(layers):
        found |= {name: text for name, text in layer.items() if name.startswith(STANDARD_PREFIX) and text}
    return found


def _parsed(texts: Mapping[str, str]) -> tuple[dict[str, Any], list[Fault]]:
    values: dict[str, Any] = {}
    faults = []
    for name, variable in VARIABLES.items():
        if name in texts:
            try:
                values[name] = variable.parse(texts[name])
            except ValueError as error:
                faults.append(Fault(name, str(error)))
        elif variable.required:
            faults.append(Fault(name, "is required"))
    return values, faults


def _assembled(values: Mapping[str, Any]) -> Settings:
    """`Settings` of the values; defaults where there are none, and the example where something required is missing.

    So the rules always see whole settings, and one missing variable hides no fault of another.
    """
    sections: dict[str, dict[str, Any]] = {section.name: {} for section in structs.fields(Settings)}
    for name, variable in VARIABLES.items():
        default = variable.examples[0] if variable.required else variable.default
        sections[variable.section][variable.field] = values.get(name, default)
    return Settings(**{section.name: section.type(**sections[section.name]) for section in structs.fields(Settings)})


def _doubts(path: Path, in_file: EnvFile, sources: Mapping[str, str]) -> Iterator[str]:
    """What is probably not meant about the file that was read."""
    yield from (f"{name} {doubt}" for name, doubt in in_file.doubts.items() if name in VARIABLES)
    secrets = [name for name, source in sources.items() if source == str(path) and VARIABLES[name].secret]
    if secrets and is_open_to_others(str(path)):
        yield f"{path} has {secrets[0]} and can be read by others: chmod 600 {path}"


def _unknown_in_file(names: Iterable[str], given: Collection[str]) -> Iterator[Fault]:
    """A typing error in the file is a fault: the file is ours. Names of other tools may stand in it."""
    for name, meant in _unknown(names, given):
        yield Fault(name, "is no setting" + (f"; did you mean {meant}?" if meant else ""), example="")


def _unknown_in_environment(names: Iterable[str], given: Collection[str]) -> Iterator[str]:
    """Only a warning: the environment belongs to everybody, and other tools read `SNOWFLAKE_*` too."""
    for name, meant in _unknown(names, given):
        yield f"{name} is no setting of evsup" + (f"; did you mean {meant}?" if meant else "")


def _unknown(names: Iterable[str], given: Collection[str]) -> Iterator[tuple[str, str | None]]:
    """Names that look like typing errors, also in small letters, each with what was probably meant.

    A name without a prefix of ours is another tool's where what it resembles is `given`, too.
    """
    for name in sorted(names):
        if name in VARIABLES:
            continue
        prefix = next((prefix for prefix in PREFIXES if name.upper().startswith(prefix)), "")
        meant = _nearest(name.upper(), prefix)
        if prefix == OWN_PREFIX or (meant and (prefix or meant not in given)):
            yield name, meant


def _nearest(name: str, prefix: str) -> str | None:
    """Compared after the prefix, which would make any two names alike."""
    from difflib import get_close_matches  # here, because a worker's names are right

    known = [other.removeprefix(prefix) for other in VARIABLES if other.startswith(prefix)]
    rest, least = name.removeprefix(prefix), LIKE_A_TYPING_ERROR if prefix else WHOLE_LIKE_A_TYPING_ERROR
    swapped = [other for other in known if sorted(other) == sorted(rest)]
    found = swapped or get_close_matches(rest, known, n=1, cutoff=least)
    return prefix + found[0] if found else None
