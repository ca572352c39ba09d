"""What evsup's commands add to click's: helps with examples, commands in sections, and what a mistyped one meant."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

ALIKE = 0.7  # how alike two names must be, before one is taken for a misspelt other: `stop` is not `start`
MOST_MEANT = 2


class Command(click.Command):
    """A command whose help ends with examples by what each does, and with the page that says more."""

    def __init__(self, *arguments: Any, examples: Mapping[str, str], page: str, **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.examples, self.page = examples, page

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """What was typed. An error says of which command it is, which click leaves out of some."""
        try:
            if not isinstance(self, click.Group) and not ctx.resilient_parsing:
                _refuse_empty(args)
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Examples are never wrapped, so that each can be copied."""
        with formatter.section("Examples"):
            formatter.write_dl([*self.examples.items()])
        formatter.write_paragraph()
        codes = f"Exit codes: {ctx.find_root().info_name} --help. " if ctx.parent else ""
        formatter.write_text(f"{codes}More: {self.page}.")


def _refuse_empty(args: Sequence[str]) -> None:
    """Nobody means anything by an empty text, which `Path` would take for the working directory."""
    for before, argument in zip(("", *args), args, strict=False):
        name, equals, value = argument.partition("=")
        if not argument or (name.startswith("--") and equals and not value):
            place = f" after {name if equals else before}" if equals or before else ""
            raise click.UsageError(f"There is an empty argument{place}: a variable of the shell may not be set")


@dataclass(frozen=True, slots=True)
class Entry:
    """A command of a group: where it is, and what it does in one line."""

    path: str
    """Module and name, as `supervisor.commands.start:start`."""
    about: str
    is_group: bool = False

    def load(self) -> click.Command:
        """Import the command."""
        module, _, name = self.path.partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


class UnknownCommand(click.UsageError):
    """There is no command of that name; `meant` are some with a name like it."""

    def __init__(self, typed: str, meant: Sequence[str], ctx: click.Context) -> None:
        super().__init__(f"There is no command {typed}", ctx)
        self.meant = meant


class NoCommand(click.UsageError):
    """A group was called without a command. The message is its help."""


class Group(Command, click.Group):
    """Commands in sections. Each is imported when it is called, because a help or a status must not load the SDKs.

    https://click.palletsprojects.com/en/stable/complex/#lazily-loading-subcommands
    """

    def __init__(self, *arguments: Any, sections: Mapping[str, Mapping[str, Entry]], **attributes: Any) -> None:
        super().__init__(*arguments, no_args_is_help=False, **attributes)
        self._sections = sections
        self._entries = {name: entry for section in sections.values() for name, entry in section.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which users need them."""
        del ctx  # click's signature
        return list(self._entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name; None when there is none."""
        del ctx
        entry = self._entries.get(cmd_name)
        return entry.load() if entry else None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Raises `NoCommand` when nothing was typed; click's versions differ in what they do then."""
        if not args and not ctx.resilient_parsing:
            raise NoCommand(ctx.get_help(), ctx)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that was typed, and what follows it. Raises `UnknownCommand`."""
        typed = args[0]
        if typed not in self._entries and not ctx.resilient_parsing:
            raise UnknownCommand(typed, self._meant(typed), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One line for each command, whole: click would cut it at the end of the line."""
        del ctx  # click's signature
        width = max(map(len, self._entries))
        for title, section in self._sections.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), entry.about) for name, entry in section.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Names of commands, without importing these: completion has to be fast."""
        from click.shell_completion import CompletionItem

        names = [name for name in self._entries if name.startswith(incomplete)]
        found = [CompletionItem(name, help=self._entries[name].about) for name in names]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def _meant(self, typed: str) -> list[str]:
        """Commands that may have been meant; those of a group in this one, too, as in `evsup reset`."""
        from difflib import get_close_matches  # here, because names are hardly ever wrong

        known = {name: name for name in self._entries}
        for path in self._paths_within():
            known.setdefault(path.rpartition(" ")[2], path)
        begun = [name for name in known if typed and name.startswith(typed)]
        return [known[name] for name in begun or get_close_matches(typed.lower(), known, MOST_MEANT, ALIKE)]

    def _paths_within(self) -> Iterator[str]:
        for name, entry in self._entries.items():
            if entry.is_group and isinstance(group := entry.load(), Group):
                yield from (f"{name} {part}" for part in group._entries)
