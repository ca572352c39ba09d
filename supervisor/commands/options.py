"""Options that several commands share."""

from pathlib import Path

import click

env_file = click.option(
    "--env-file", type=click.Path(path_type=Path), metavar="F", help="Read this settings file instead of ./.env."
)
