"""Everything that can go wrong in evsup, as a list to read from top to bottom.

The class answers the caller's question (retry, fix me, or lost it?) through its exit code of sysexits(3), so that
systemd and Kubernetes can tell one from the other. The message says what failed, why, and what to type next.
"""

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """Exit codes of `evsup`, after sysexits(3): https://man7.org/linux/man-pages/man3/sysexits.h.3head.html."""

    OK = 0
    USAGE = 64
    DATA = 65
    UNAVAILABLE = 69
    BUG = 70
    TEMPORARY = 75
    NOT_PERMITTED = 77
    CONFIGURATION = 78


class EvsupError(Exception):
    """Base of all errors that evsup raises on purpose.

    `what` failed, `why` (evidence, secrets already masked) and `fix` (what to type or change); the last two may be
    empty. Pickles and travels over the pipe as these three texts and the class's name.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __init__(self, what: str, why: str = "", fix: str = "") -> None:
        super().__init__(what, why, fix)
        self.what, self.why, self.fix = what, why, fix

    def __str__(self) -> str:
        text = f"{self.what}: {self.why}" if self.why else self.what
        if not self.fix:
            return text
        return f"{text}{'' if text.endswith(('.', '?', '!')) else '.'} {self.fix}"

    def beside(self, name: str) -> str:
        """What failed, and why, for a line that begins with this name (`partition 3`) and need not repeat it."""
        what = self.what
        for separator in (": ", " "):
            what = what.removeprefix(f"{name.capitalize()}{separator}")
        return f"{what}: {self.why}" if self.why else what


class UsageError(EvsupError):
    """The command line has a mistake."""

    exit_code = ExitCode.USAGE


# --- 65: the data was refused; running again changes nothing until a person has decided -------------------------------


class DataRefused(EvsupError):
    """Going on would lose, repeat or hide an event."""

    exit_code = ExitCode.DATA


class MissingSequenceNumber(DataRefused):
    """An event came without a sequence number, so no offset token can be made for it."""


class SequenceGap(DataRefused):
    """Sequence numbers are missing between two events."""


class EventRefused(DataRefused):
    """An event may not be stored: a setting says so."""


class UndecodableEvent(EventRefused):
    """A body is not JSON and `SNOWFLAKE_ON_DECODE_ERROR=fail`."""


class MapperFailed(EventRefused):
    """The mapper of the settings raised an error, or returned no row."""


class UnknownKey(EventRefused):
    """A body has a key without a column and `SNOWFLAKE_ON_UNKNOWN_KEY=fail`."""


class RowsRejected(DataRefused):
    """Snowflake counted rows that it did not put into the table."""


class CountsUnsettled(RowsRejected):
    """The count of rejected rows does not fit what the table lacks, and may still change: it can be seen late."""


class ResumeRefused(DataRefused):
    """Channel token, checkpoint and partition contradict each other; any start would be a guess."""


# --- 69: a service did not answer after all retries -------------------------------------------------------------------


class ServiceUnavailable(EvsupError):
    """A service that evsup needs did not answer, or answered with an error that may pass."""

    exit_code = ExitCode.UNAVAILABLE


class SourceUnavailable(ServiceUnavailable):
    """Event Hubs cannot be reached, detached the receiver for good, or the receiver hangs."""


class SourceThrottled(SourceUnavailable):
    """Event Hubs has more to do than the throughput that was bought, and takes this request later."""


class SchemaRegistryUnavailable(SourceUnavailable):
    """The schema registry does not answer; events that need it wait in the hub."""


class SinkUnavailable(ServiceUnavailable):
    """Snowpipe Streaming cannot be reached, or the channel is invalid."""


class ChannelGone(SinkUnavailable):
    """The channel does not exist any more: it expired after 30 idle days, or somebody dropped it."""


class CommitStalled(ServiceUnavailable):
    """Appended rows stayed uncommitted longer than `SNOWFLAKE_COMMIT_TIMEOUT`."""


class SnowflakeUnavailable(ServiceUnavailable):
    """Snowflake's SQL service cannot be reached, or broke a statement off."""


class RowLocked(SnowflakeUnavailable):
    """Somebody else held the row's lock for too long, or a deadlock was broken; the statement changed nothing."""


class StoreUnavailable(ServiceUnavailable):
    """The control store cannot be reached, or did not answer in time: a write may have been committed all the same."""


# --- 70: our own fault ------------------------------------------------------------------------------------------------


class Bug(EvsupError):
    """An invariant of evsup does not hold."""


class ProtocolError(Bug):
    """Bytes on a pipe are not the messages both ends agreed on."""


class CheckpointMovedBack(Bug):
    """A checkpoint below the stored one was to be written under the same epoch."""


class DuplicateKey(Bug):
    """A row with this primary key exists already, which nobody expected; the statement changed nothing."""


class WorkerCrashed(Bug):
    """A worker ended without reporting an error: an unhandled exception, or a crash in native code."""


# --- 75: temporary; start again ---------------------------------------------------------------------------------------


class Temporary(EvsupError):
    """Nothing is lost and nothing needs fixing: starting again is right."""

    exit_code = ExitCode.TEMPORARY


class OwnershipLost(Temporary):
    """Somebody else owns the partition now, or the lease could not be renewed in time."""


class DrainTimedOut(Temporary):
    """The drain deadline passed, or a second signal came; what was in flight is read again at the next start."""


class StoppedAtOnce(Temporary):
    """A worker did not end its drain, because an operator asked a second time for an end. No fault of anything."""


class WorkerKilled(Temporary):
    """A worker was ended from outside by a signal (kill -9, the out-of-memory killer)."""


class LimitReached(Temporary):
    """The host has no memory, process, descriptor or room on a disk left for what was to be done."""


class WorkerHung(Temporary):
    """A worker sent no status for three heartbeats outside a documented wait."""


class PartitionHeld(Temporary):
    """A person wants to change a partition that has a live owner."""


class AlreadyRunning(Temporary):
    """Another supervisor holds the state directory."""


class OutputLost(Temporary):
    """Standard output, or the file of an export, takes nothing: a full disk. Whoever read what is there would take it
    for all.
    """


# --- 77 and 78: a person has to change a grant or a setting -----------------------------------------------------------


class NotPermitted(EvsupError):
    """A credential was refused or a grant is missing."""

    exit_code = ExitCode.NOT_PERMITTED


class NotSignedIn(NotPermitted):
    """Snowflake, or the authorization server before it, refused the credential."""


class ConfigurationError(EvsupError):
    """A setting is missing, malformed, contradicts another one, or names something that does not exist."""

    exit_code = ExitCode.CONFIGURATION


class RowsDoNotFit(ConfigurationError):
    """The target table, or the pipe before it, would lose, multiply or reject rows."""


class NoControlTables(ConfigurationError):
    """The control store has no tables yet."""


class DoesNotExist(ConfigurationError):
    """An object that a statement names does not exist, or the role may not see it: Snowflake does not say which."""


class AlreadyExists(ConfigurationError):
    """What was to be created exists already, perhaps as an object of another kind."""


class Unsupported(ConfigurationError):
    """A feature that this Snowflake account, or its region, does not have."""
