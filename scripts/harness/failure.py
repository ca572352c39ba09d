"""How a run of evsup fails that a script or a test watches."""

from scripts.failure import Failed


class NotAsPromised(Failed):
    """Something did not happen as promised; the message says what, and `evidence` is the end of evsup's log."""

    def __init__(self, what: str, evidence: str = "") -> None:
        super().__init__(f"{what}\n{evidence}" if evidence else what)
        self.what, self.evidence = what, evidence
