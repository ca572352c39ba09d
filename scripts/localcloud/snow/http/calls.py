"""How every call is answered, whatever it is for: with the faults that are armed for it, and counted."""

from collections import Counter
from collections.abc import Awaitable, Callable

from scripts.localcloud.snow.http.faults import Call, Dropped, Faults
from scripts.localcloud.snow.http.refusal import Refusal
from scripts.localcloud.snow.http.wire import RESET, Response


class Calls:
    """Serves calls and counts the answers by call, HTTP status and code."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.answers: Counter[str] = Counter()

    async def answered(
        self, call: Call, serve: Callable[[], Awaitable[Response]], refused: Callable[[Refusal], Response]
    ) -> Response:
        """Serve a call under the faults that are armed for it; `refused` makes the answer of a refusal."""
        try:
            await self.faults.before(call)
            response, code = await serve(), ""
            self.faults.after(call)
        except Dropped:
            self.answers[f"{call} reset"] += 1
            return RESET
        except Refusal as refusal:
            response, code = refused(refusal), f" {refusal.code}"
        self.answers[f"{call} {response.status}{code}"] += 1
        return response
