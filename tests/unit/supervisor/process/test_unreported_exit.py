"""An exit code says why a worker exited that reported nothing."""

import signal

import pytest

from shared.errors import EvsupError, ExitCode, OwnershipLost, WorkerCrashed, WorkerKilled
from shared.ipc.exit_code import LEASE_OVER
from supervisor.process.unreported_exit import unreported_exit


@pytest.mark.parametrize(
    ("code", "is_out_of_memory", "kind", "text"),
    [
        (LEASE_OVER, False, OwnershipLost, "at the end of its lease: its loop was stuck or stopped (epoch 3)"),
        (1, False, WorkerCrashed, "exited without reporting an error: exit code 1"),
        (0, False, WorkerCrashed, "exit code 0"),
        (ExitCode.TEMPORARY, False, WorkerCrashed, "exit code 75. See its last lines above. A mapper (EVSUP_MAPPER)"),
        (-signal.SIGKILL, False, WorkerKilled, "(pid 7) was killed by SIGKILL: an operator did it"),
        (-signal.SIGTERM, True, WorkerKilled, "was killed by SIGTERM: somebody sent it"),
        (-signal.SIGALRM, False, WorkerKilled, "was killed by SIGALRM: somebody sent it"),
        (-signal.SIGXCPU, False, WorkerKilled, "was killed by SIGXCPU: it has used the processor time"),
        (-signal.SIGKILL, True, WorkerKilled, "was killed by the kernel: memory ran out"),
        (-signal.SIGSEGV, False, WorkerCrashed, "died of SIGSEGV: a fault in native code"),
        (-36, False, WorkerKilled, "was killed by signal 36 (Real-time signal 2): somebody sent it"),
    ],
)
def test_the_failure_names_what_ended_the_worker(
    code: int, is_out_of_memory: bool, kind: type[EvsupError], text: str
) -> None:
    failure = unreported_exit(code, 7, 3, is_out_of_memory=is_out_of_memory)
    assert type(failure) is kind
    assert text in str(failure)
