"""How many of a thing there are, in words."""


def counted(things: int, name: str) -> str:
    """`1 partition`, `2 partitions`."""
    return f"{things} {name}{'' if things == 1 else 's'}"
