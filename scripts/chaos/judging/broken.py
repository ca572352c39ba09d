"""How a run fails: an invariant does not hold."""

from scripts.failure import Failed


class InvariantBroken(Failed):
    """A promise of docs/reliability.md did not hold: its id there (I1 to I12), and the evidence."""

    def __init__(self, invariant: str, evidence: str) -> None:
        super().__init__(f"{invariant}: {evidence}")
        self.invariant = invariant
