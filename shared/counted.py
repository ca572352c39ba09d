"""How many of a thing there are, and which, in words."""

from collections.abc import Collection


def counted(things: int, name: str) -> str:
    """`1 partition`, `2 partitions`."""
    return f"{things} {name}{'' if things == 1 else 's'}"


def ranges(partition_ids: Collection[str]) -> str:
    """`0-3, 7` for 0, 1, 2, 3 and 7. Ids that are no numbers, as a damaged row may have, stay as they are."""
    if not all(each.isascii() and each.isdecimal() for each in partition_ids):
        return ", ".join(partition_ids)
    runs: list[list[int]] = []
    for each in sorted(map(int, partition_ids)):
        if runs and each == runs[-1][-1] + 1:
            runs[-1].append(each)
        else:
            runs.append([each])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)
