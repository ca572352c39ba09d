"""How a command of evsup has to be typed to reach the configuration that this process has.

A message names a command in backticks, wherever it is raised: "Run `evsup init`." Where the message is shown,
`complete` adds the options of this process's own call that the command needs. So whoever copies the line does not run
it against another configuration. Workers inherit the options in a variable of their environment, because they log such
messages too.
"""

import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field

import msgspec

VARIABLE = "_EVSUP_CALL"  # with EVSUP_ in front it would be taken for a setting
STATE_DIR = "EVSUP_STATE_DIR"

_FOR_ALL = ("--env-file",)
_OF_THE_HOST = ("start", "status")  # use the state directory; `status --all` does not
_COMMAND = re.compile(r"`((?:[A-Z_]+=\S+ )*)evsup ((?:checkpoints )?(?!checkpoints)[a-z]+)((?: [^`]*)?)`")


@dataclass(frozen=True, slots=True)
class Call:
    """How the user called evsup: only what names the configuration."""

    command: str = ""
    """Without `evsup`: `start`, `checkpoints set`."""
    options: Mapping[str, str | None] = field(default_factory=dict)
    """By name; None: the option takes no value."""
    state_dir: str = ""
    """EVSUP_STATE_DIR of the environment, empty when it was not set."""


def remember(command: str, option: str, value: object) -> None:
    """Note an option of this process's call; False and None are options that were not given."""
    known = _call()
    options = dict(known.options) if known.command == command else {}
    options.pop(option, None)
    if value is not None and value is not False:
        options[option] = None if value is True else str(value)
    state_dir = known.state_dir if known.command == command else os.environ.get(STATE_DIR, "")
    # json, because msgspec refuses a path that is no UTF-8
    os.environ[VARIABLE] = json.dumps(asdict(Call(command, options, state_dir)))


def complete(text: str, call: Call | None = None) -> str:
    """`text` with the options of the call in each command that it names and that lacks them.

    A command that is complete stays as it is, so a text may pass through here twice.
    """
    known = call or _call()
    return _COMMAND.sub(lambda found: _completed(found[1], found[2], found[3], known), text)


def _completed(settings: str, command: str, arguments: str, call: Call) -> str:
    of_this_host = command in _OF_THE_HOST and "--all" not in arguments.split()
    if call.state_dir and of_this_host and STATE_DIR not in settings:
        settings += f"{STATE_DIR}={shlex.quote(call.state_dir)} "
    return f"`{settings}evsup {command}{arguments}{''.join(_missing(command, arguments, call))}`"


def _missing(command: str, arguments: str, call: Call) -> Iterator[str]:
    """Every command takes some of the options; the others belong to the command that was called."""
    for option, value in call.options.items():
        is_taken = option in _FOR_ALL or command == call.command
        if is_taken and option not in arguments.split():
            yield f" {option}" if value is None else f" {option} {shlex.quote(value)}"


def _call() -> Call:
    """The call that the environment holds. A value that cannot be read, as of another version of evsup, is no call."""
    try:
        return msgspec.convert(json.loads(os.environ.get(VARIABLE, "{}")), Call)
    except (ValueError, RecursionError, msgspec.ValidationError):
        return Call()
