"""Completion in fish, where click's own script ends what a command does at its first comma."""

from click.shell_completion import FishComplete, add_completion_class


@add_completion_class
class Fish(FishComplete):
    """Splits the kind of a word from the word, and nothing behind it."""

    source_template = FishComplete.source_template.replace('string split ","', 'string split --max 1 ","')
