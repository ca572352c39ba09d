"""The one way in which the smoke test fails."""


class SmokeFailed(Exception):
    """A step did not end as promised; the message says what, and `evidence` the last lines of evsup's log."""

    def __init__(self, what: str, evidence: str = "") -> None:
        super().__init__(what)
        self.evidence = evidence
