"""The lines of `evsup check` for people: wrapped on a terminal, equal partitions in one line, a summary at the end."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from textwrap import wrap

from msgspec import structs

from shared.counted import ranges
from shared.log.printable import printable
from supervisor.check.runner import CheckResult, Verdict

VERDICT_WIDTH, NAME_WIDTH = 8, 16
NARROW, NARROW_INDENT = 64, 4  # columns; below them a detail begins in a line of its own
LONG_S = 1.0  # what took less is not worth a look

_PARTITION = re.compile(r"partition (\d+)")
_NUMBER = re.compile(r"(\d+)")
_COMMAND = re.compile("`[^`]*`")
_SPACE = "\xa0"  # `wrap` breaks no line there


def is_of_partition(result: CheckResult) -> bool:
    """Whether it is about one partition."""
    return _PARTITION.fullmatch(result.name) is not None


def lines(result: CheckResult, width: int | None) -> Iterator[str]:
    """One check. `width` is that of a terminal; None: no line is wrapped."""
    took = f" ({result.took_s:.1f} s)" if result.took_s >= LONG_S else ""
    head = f"{result.verdict:{VERDICT_WIDTH}}{result.name:{NAME_WIDTH}}  "
    texts = [printable(result.detail) + took, *([printable(result.fix)] if result.fix else [])]
    if width is not None and width < NARROW:
        yield head.rstrip()
        head = " " * NARROW_INDENT
    for text in texts:
        for line in wrapped(text, width, len(head)):
            yield f"{head}{line}"
            head = " " * len(head)


def collapsed(results: Sequence[CheckResult]) -> Iterator[CheckResult]:
    """Partitions of which the same can be said as one, in the place of the first; every other check as it is.

    Numbers that differ are left out. What failed, and what a person should know, stays a line of its own.
    """
    groups: dict[object, list[CheckResult]] = {}
    for result in results:
        is_plain = is_of_partition(result) and result.verdict in ("ok", "skipped")
        # By its name a check is alone in its group.
        shape = (result.verdict, _NUMBER.sub("", result.detail), result.fix) if is_plain else result.name
        groups.setdefault(shape, []).append(result)
    for group in groups.values():
        yield group[0] if len(group) == 1 else _together(group)


def summary(results: Iterable[CheckResult], took_s: float) -> str:
    """How many passed, and what to do next."""
    counts = Counter(result.verdict for result in results)
    warnings = "warning" if counts["warn"] == 1 else "warnings"
    names: dict[Verdict, str] = {"ok": "ok", "warn": warnings, "fail": "failed", "skipped": "skipped"}
    counted = ", ".join(f"{counts[verdict]} {name}" for verdict, name in names.items() if counts[verdict])
    return f"{counted} in {took_s:.1f} s. {_next(counts)}"


def _next(counts: Mapping[Verdict, int]) -> str:
    if failed := counts["fail"]:
        return f"Fix {'the one' if failed == 1 else 'those'} that failed, then run `evsup check` again."
    return "A start would work" + (", but read the warnings." if counts["warn"] else ".")


def _together(group: Sequence[CheckResult]) -> CheckResult:
    first = group[0]
    ids = ranges([result.name.partition(" ")[2] for result in group])
    parts = zip(*(_NUMBER.split(result.detail) for result in group), strict=True)
    detail = "".join(part[0] if len(set(part)) == 1 else "…" for part in parts)
    return structs.replace(
        first,
        name=f"{len(group)} partitions",
        detail=f"{ids}: each {detail}" if first.verdict == "ok" else f"{ids}: {detail}",
        took_s=max(result.took_s for result in group),
    )


def wrapped(text: str, width: int | None, indent: int = 0) -> Iterator[str]:
    """The lines of a text behind an indent. A command between backticks stays in one line, so that it can be copied."""
    if width is None:
        yield text
        return
    for line in text.splitlines():
        deeper = " " * (len(line) - len(line.lstrip()))
        whole = _COMMAND.sub(lambda command: command[0].replace(" ", _SPACE), line.strip())
        # A line has room for a character at least, as `wrap` demands: a terminal may be narrower than the indent.
        for part in wrap(whole, max(width - indent - len(deeper), 1), break_long_words=False, break_on_hyphens=False):
            yield deeper + part.replace(_SPACE, " ")
