"""Commands that move checkpoints show the plan first, and act only with `--yes`."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import click

from shared.log.printable import printable
from supervisor.checkpoints.admin_session import AdminSession, carry_out, default_actor
from supervisor.checkpoints.move import Move, describe

Command = Callable[..., Any]


def options(command: Command) -> Command:
    """The options of every command that changes a checkpoint."""
    yes = click.option("--yes", is_flag=True, help="Do it; without this flag the plan is shown and nothing changes.")
    actor = click.option(
        "--actor", default=default_actor, metavar="NAME", help="Who does it, for the audit; default: user@host."
    )
    return yes(actor(command))


def show_and_move(session: AdminSession, moves: Sequence[Move], action: str, actor: str, *, yes: bool) -> None:
    """Show the moves, and carry them out with `yes`."""
    owners = session.owners()
    for move in moves:
        # An owner's name is whatever somebody wrote into the control store.
        click.echo(printable("\n".join(describe(move, owners.get(move.before.partition_id)))))
    act_if_confirmed(partial(carry_out, session.store, moves, actor, action), yes=yes)


def act_if_confirmed(action: Callable[[], None], *, yes: bool) -> None:
    """Run the action with `yes`, and say whether it was run."""
    if yes:
        action()
    click.echo("Done." if yes else "Nothing was changed. Add --yes to do it.")
