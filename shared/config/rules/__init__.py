"""Rules that the type of one setting cannot express: about several settings, about files, about the form of a text.

A rule is a pure function (it may read the files that settings name) from `Settings` to faults. It stands in a table
beside the variables it reads: when one of them is already at fault, or is missing, the rule is not asked. A caution is
the same for what is allowed and yet probably not meant.
"""

from collections.abc import Iterable, Iterator

from shared.config.faults import Fault
from shared.config.rules import control, eventhub, process, snowflake
from shared.config.settings import Settings

RULES = (*eventhub.RULES, *snowflake.RULES, *control.RULES, *process.RULES)
CAUTIONS = (*eventhub.CAUTIONS, *snowflake.CAUTIONS, *control.CAUTIONS, *process.CAUTIONS)


def faults(settings: Settings, faulty: Iterable[str] = ()) -> Iterator[Fault]:
    """Every fault of `settings`, but for those of a variable in `faulty` and of rules that read one."""
    known = set(faulty)
    for rule, reads in RULES:
        if known.isdisjoint(reads):
            yield from (fault for fault in rule(settings) if fault.variable not in known)


def cautions(settings: Settings) -> Iterator[str]:
    """Warnings: what is allowed and probably not meant, one sentence each."""
    for caution in CAUTIONS:
        yield from caution(settings)
