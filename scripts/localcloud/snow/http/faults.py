"""Injected faults: what happens to a call before or after it is served. Each one is counted when it acts."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal, get_args

from scripts.localcloud.snow.http.refusal import Refusal, Shape, bad_request

Call = Literal[
    "hostname", "token", "pipe_info", "open", "append", "filebuffer", "status", "drop", "telemetry", "access_token",
    "upload",
    "login", "query", "heartbeat", "renew", "logout", "abort",
]  # fmt: skip
"""The kinds of call that a client makes: `upload` goes to the stage, the last line are those of SQL. A fault is armed
for one of them."""

Kind = Literal["http", "latency", "reset", "reset_after", "hang", "cut", "garble", "stale"]
"""`reset` drops the connection before the call is served, `reset_after` afterwards: the answer is lost. `cut` loses the
second half of an upload, `garble` changes a byte of it. `stale` answers a status as it was before the last commit."""


MESSAGES = {
    "390422": "Incoming request with IP/Token 203.0.113.7 is not allowed to access Snowflake. Contact your account"
    " administrator.",
}
"""What the service says with a code, where clients read it:
https://docs.posit.co/partnerships/snowflake/posit-team/networking/network-policies.html"""


class Dropped(Exception):
    """The connection is to be reset instead of answered."""


@dataclass
class Fault:
    """An armed fault; `times` counts down to zero, `None` lasts until the faults are cleared."""

    kind: Kind
    call: Call
    times: int | None
    status: int = HTTPStatus.SERVICE_UNAVAILABLE
    code: str = "SERVICE_UNAVAILABLE"
    shape: Shape = "code"
    seconds: float = 0.0


class Faults:
    """The armed faults, and `fired`: how often each kind, and each kind of one call, altered an answer or a state."""

    def __init__(self) -> None:
        self.fired: Counter[str] = Counter()
        self._armed: list[Fault] = []
        self._released = asyncio.Event()

    def arm(self, fault: Fault) -> None:
        """Add a fault; several of one call fire in the order in which they were armed."""
        if fault.kind not in get_args(Kind) or fault.call not in get_args(Call):
            raise bad_request(f"no fault {fault.kind!r} for {fault.call!r}")
        self._armed.append(fault)

    def clear(self) -> None:
        """Disarm everything and release hanging calls; their connections are reset."""
        self._armed.clear()
        self._released.set()
        self._released = asyncio.Event()

    async def before(self, call: Call) -> None:
        """Apply the faults that are armed for this call: raise `Refusal` or `Dropped`, or return late."""
        latency = self._take("latency", call)
        if latency is not None:
            await asyncio.sleep(latency.seconds)
        if self._take("hang", call) is not None:
            await self._released.wait()
            raise Dropped
        if self._take("reset", call) is not None:
            raise Dropped
        if (fault := self._take("http", call)) is not None:
            message = MESSAGES.get(fault.code, f"A fault was armed for {call}.")
            raise Refusal(HTTPStatus(fault.status), fault.code, message, fault.shape)

    def damaged(self, call: Call, body: bytes) -> bytes:
        """Give the body of a call as it arrives."""
        if self._take("cut", call) is not None:
            return body[: len(body) // 2]
        if self._take("garble", call) is not None:
            middle = len(body) // 2
            return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
        return body

    def after(self, call: Call) -> None:
        """Raise `Dropped` when the answer to a served call is to be lost."""
        if self._take("reset_after", call) is not None:
            raise Dropped

    def is_stale(self, call: Call) -> bool:
        """Say whether the answer to this call is to be an old one."""
        return self._take("stale", call) is not None

    def _take(self, kind: Kind, call: Call) -> Fault | None:
        for fault in self._armed:
            if (fault.kind, fault.call) == (kind, call):
                self.fired[kind] += 1
                self.fired[f"{kind} {call}"] += 1
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._armed.remove(fault)
                return fault
        return None
