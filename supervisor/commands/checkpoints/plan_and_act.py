"""What the commands that move a checkpoint have in common: the plan first, the deed with --yes."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import click

from supervisor.checkpoints.admin_session import Site, carry_out, default_actor
from supervisor.checkpoints.plan import Move, lines

Command = Callable[..., Any]


def options(command: Command) -> Command:
    """The flags of every command that changes a checkpoint."""
    yes = click.option("--yes", is_flag=True, help="Do it; without this flag the plan is shown and nothing changes.")
    actor = click.option(
        "--actor", default=default_actor, metavar="NAME", help="Who does it, for the audit; default: user@host."
    )
    return yes(actor(command))


def act(site: Site, moves: Sequence[Move], action: str, actor: str, *, yes: bool) -> None:
    """Show the plan and carry it out."""
    owners = site.owners()
    for move in moves:
        click.echo("\n".join(lines(move, owners.get(move.before.partition_id))))
    settle(partial(carry_out, site, moves, actor, action), yes=yes)


def settle(deed: Callable[[], None], *, yes: bool) -> None:
    """Do what was shown, or say that nothing was done."""
    if yes:
        deed()
    click.echo("Done." if yes else "Nothing was changed. Add --yes to do it.")
