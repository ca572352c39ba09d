"""Which receivers of a partition the local Event Hubs has at the same time."""

import pytest

from scripts.localcloud.hub.access.admission import admit


@pytest.mark.parametrize(
    ("epoch", "present", "refused", "displaces"),
    [
        (None, [], False, False),
        (None, [None] * 4, False, False),
        (None, [None] * 5, True, False),
        (None, [0], True, False),
        (0, [None, None], False, True),
        (3, [3], False, True),
        (4, [3], False, True),
        (2, [3], True, False),
    ],
)
def test_epochs_admit_refuse_and_displace(
    epoch: int | None, present: list[int | None], refused: bool, displaces: bool
) -> None:
    admission = admit(epoch, present)
    assert (admission.refused is not None, admission.displaced is not None) == (refused, displaces)
