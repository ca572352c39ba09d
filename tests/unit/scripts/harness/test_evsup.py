"""One evsup process, with another program in its place."""

from pathlib import Path

import pytest

from scripts.harness.evsup import Evsup
from scripts.harness.failure import NotAsPromised


def test_a_process_that_does_not_end_in_time_is_not_as_promised(tmp_path: Path) -> None:
    program = ("sh", "-c", "echo stuck >&2; exec sleep 60")
    evsup = Evsup({"EVSUP_STATE_DIR": str(tmp_path)}, tmp_path / "run", command=program)
    try:
        evsup.until(lambda: evsup.stderr, "it writes")
        with pytest.raises(NotAsPromised, match=r"evsup has not ended after 0\.1 s") as caught:
            evsup.wait(0.1)
        assert caught.value.evidence == "stuck"
    finally:
        evsup.kill()
