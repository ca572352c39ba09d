"""How much may be asked for: what one channel sends, and how often all clients of the account make other calls.

https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-limitations gives a
channel 10 requests and 20 MB (uncompressed) a second, which Snowflake's support raises on request. Of other calls no
page says a number: Redpanda Connect's client saw the refusal for a status, on a busy account, with this body:
https://github.com/redpanda-data/connect/tree/main/internal/impl/snowflake/streamingv2
Here there is no limit until `SnowAdmin.limit_channels` or `SnowAdmin.limit_control_calls`.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from http import HTTPStatus

from scripts.localcloud.snow.http.refusal import RATE_EXCEEDED, Refusal


@dataclass
class Allowance:
    """What is left of `per_second` (None: no limit); a second without use restores all of it.

    A single request may be larger than all of it: it is let through, and the debt has to be restored first.
    """

    per_second: float | None
    _used: float = 0.0
    _seen_s: float = 0.0

    def restore(self, now_s: float) -> bool:
        """Restore what the time since the last call is worth; say whether anything is left."""
        if self.per_second is None:
            return True
        self._used = max(0.0, self._used - (now_s - self._seen_s) * self.per_second)
        self._seen_s = now_s
        return self._used < self.per_second

    def take(self, amount: float) -> None:
        """Use some of it."""
        self._used += amount


class Limits:
    """The allowances of every channel, and that of the account's control calls; None is no limit."""

    def __init__(self) -> None:
        self._control = Allowance(None)
        self._requests_per_s: float | None = None
        self._bytes_per_s: float | None = None
        self._allowances: dict[Hashable, tuple[Allowance, Allowance]] = {}

    def set_control(self, calls_per_s: float | None) -> None:
        """Change the limit of all calls that carry no rows."""
        self._control = Allowance(calls_per_s)

    def set_channels(self, requests_per_s: float | None, bytes_per_s: float | None) -> None:
        """Change the limits of all channels."""
        self._requests_per_s, self._bytes_per_s = requests_per_s, bytes_per_s
        self._allowances.clear()

    def take(self, channel: Hashable, size: int, now_s: float) -> None:
        """Count one request of so many bytes (monotonic seconds), or refuse it; a refused one costs nothing."""
        made = Allowance(self._requests_per_s), Allowance(self._bytes_per_s)
        requests, uncompressed = self._allowances.setdefault(channel, made)
        if not all([requests.restore(now_s), uncompressed.restore(now_s)]):
            raise _too_many()
        requests.take(1)
        uncompressed.take(size)

    def take_control(self, now_s: float) -> None:
        """Count one call that carries no rows (monotonic seconds), or refuse it."""
        if not self._control.restore(now_s):
            raise _too_many()
        self._control.take(1)


def _too_many() -> Refusal:
    return Refusal(HTTPStatus.TOO_MANY_REQUESTS, RATE_EXCEEDED, "Request rate exceeds max. Try later.")
