"""The one way in which a run of evsup fails that somebody watches."""


class NotAsPromised(Exception):
    """Something did not happen as promised; the message says what, and `evidence` is the end of evsup's log."""

    def __init__(self, what: str, evidence: str = "") -> None:
        super().__init__(f"{what}\n{evidence}" if evidence else what)
        self.what, self.evidence = what, evidence
